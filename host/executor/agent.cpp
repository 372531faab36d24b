#include "host/executor/agent.h"

#include <algorithm>
#include <set>

#include "host/base/id.h"
#include "host/base/json.h"
#include "host/base/text.h"
#include "host/executor/context.h"
#include "host/executor/http/items.h"
#include "host/executor/message.h"

namespace moonlet::executor {

namespace {

using nlohmann::json;
constexpr int kMostRooms = 6;            // how many times one request may drop old output
constexpr int kMostEmpty = 5;            // empty answers in a row until the agent gives up
constexpr std::size_t kMostCalls = 128;  // most tool calls that are run for one answer
constexpr std::int64_t kLastLookMs = 10'000;

void add_output(json& items, const Call& call, const std::string& text) {
  items.push_back({{"type", "function_call_output"}, {"call_id", call.id}, {"output", text}});
}

/// Returns the exit code and the hint for a failed request.
std::pair<int, const char*> advice_for(Failure::Kind kind) {
  using Kind = Failure::Kind;
  switch (kind) {
    case Kind::kAuth:
      return {kExitFailed, "check OPENAI_API_KEY and OPENAI_BASE_URL"};
    case Kind::kQuota:
      return {kExitQuota,
              "the account's limit is used up: wait, or raise it; the same TASK-ID continues"};
    case Kind::kContext:
      return {kExitFailed, "break the task into smaller ones, or use a model with a larger window"};
    case Kind::kTimeout:
      return {kExitLimit, "raise --wall; the same TASK-ID continues"};
    case Kind::kInterrupted:
      return {kExitInterrupted, "the same TASK-ID continues"};
    case Kind::kNetwork:
    case Kind::kRate:
      return {kExitFailed, "try again later; the same TASK-ID continues"};
    default:
      return {kExitFailed, "read the message; OPENAI_MODEL and OPENAI_BASE_URL say who is asked"};
  }
}

}  // namespace

Agent::Agent(const Options& options, std::string instructions, Session& session, Client& client,
             Toolbox& toolbox, Changes& changes, Report& report)
    : options_(options),
      instructions_(std::move(instructions)),
      session_(session),
      client_(client),
      toolbox_(toolbox),
      changes_(changes),
      report_(report) {}

std::optional<int> Agent::begin() {
  if (auto begun = changes_.begin(options_.limit); !begun) {
    return fail(begun.error(), "failed", kExitFailed);
  }
  if (auto code = end_at_limit()) return code;
  // Do not wait for the disk, because this save adds no paid answer of the model.
  if (!save(Durable::kNo)) return kExitFailed;
  return std::nullopt;
}

std::optional<int> Agent::end_at_limit() {
  if (options_.limit.stopped()) {
    return fail(Failure{Failure::Kind::kInterrupted, "ended by a signal"});
  }
  if (!options_.limit.over()) return std::nullopt;
  return fail(Failure{Failure::Kind::kTimeout, "the wall limit is reached"});
}

int Agent::run() {
  if (auto code = begin()) return *code;
  for (;;) {
    if (auto code = settle_calls()) return *code;
    const Said said = last_said();
    const auto ending = ending_of(said);
    if (ending || !said.text.empty()) {
      return finish(ending ? *ending : Ending{Status::kComplete, said.text, {}});
    }
    if (empty_ >= kMostEmpty) {
      return fail(
          Error{ErrorKind::kFailed,
                std::to_string(empty_) + " answers of the model in a row were empty or cut off",
                "use another model, or break the task into smaller ones; the same TASK-ID "
                "continues"},
          "invalid-output", kExitFailed);
    }
    if (iterations_ >= options_.max_iterations) {
      return fail(Error{ErrorKind::kBudget,
                        "MAX_ITERS reached: the model has answered " + std::to_string(iterations_) +
                            " times",
                        "increase it (MAX_ITERS=" + std::to_string(2 * options_.max_iterations) +
                            ") or break the task into smaller ones; the same TASK-ID continues"},
                  "failed", kExitLimit);
    }
    if (auto code = ask()) return *code;
  }
}

/// Returns what the model has said since the last user message or tool output.
Said Agent::last_said() const {
  const json& items = session_.data().items;
  auto from = items.end();
  while (from != items.begin()) {
    const json& item = *std::prev(from);
    if (is_type(item, "function_call_output") || text_of(item, "role") == "user") break;
    --from;
  }
  Said said;
  for (; from != items.end(); ++from) said.add(*from);
  return said;
}

std::optional<Agent::Ending> Agent::ending_of(const Said& said) const {
  if (!said.refusal.empty()) return Ending{Status::kBlocked, "refused: " + said.refusal, {}};
  Message read = read_message(said.text);
  if (read.end == Message::End::kNone) return std::nullopt;
  const bool asks = read.end == Message::End::kQuestion;
  return Ending{asks ? Status::kQuestion : Status::kBlocked, read.text, read.options};
}

void Agent::leave_calls() {
  SessionData& data = session_.data();
  for (const Call& call : open_calls(data.items)) {
    const bool begun = data.started_call == call.id;
    add_output(data.items, call,
               begun ? "[the executor was stopped while this ran: look at what it did]"
                     : "[not run: the executor was stopped before]");
  }
  data.started_call.clear();
}

std::optional<int> Agent::settle_calls() {
  json& items = session_.data().items;
  const std::vector<Call> calls = open_calls(items);
  if (calls.empty()) return std::nullopt;
  const auto ending = ending_of(last_said());
  std::size_t number = 0;
  for (const Call& call : calls) {
    if (ending) {
      add_output(items, call, "[not run: your turn ended with a question or an obstacle]");
    } else if (!call.whole) {
      add_output(items, call, "[not run: this call arrived incomplete: send it again, whole]");
    } else if (++number > kMostCalls) {
      add_output(items, call,
                 "[not run: an answer may hold " + std::to_string(kMostCalls) + " calls]");
    } else if (auto code = settle(call)) {
      return code;
    }
  }
  return ending ? finish(*ending) : end_at_limit();
}

/// Runs a call, unless an earlier process has begun it and it must not be repeated.
std::optional<int> Agent::settle(const Call& call) {
  if (auto code = end_at_limit()) return code;
  SessionData& data = session_.data();
  const std::string detail = toolbox_.detail(call);
  const bool again = data.started_call == call.id;
  if (again && call.name == "Bash") {
    report_.progress("The executor was stopped in " + call.name + " " + detail);
    add_output(data.items, call,
               "[the executor was stopped while this ran: look at what it did before you repeat "
               "it]");
  } else {
    ToolResult result = run_call(call, detail);
    if (again && result.status != ToolResult::Status::kOk) {
      result.output +=
          "\n[the executor was stopped in this call before: it may have been done then]";
    }
    add_output(data.items, call, result.output);
  }
  data.started_call.clear();
  if (!save()) return kExitFailed;
  return std::nullopt;
}

ToolResult Agent::run_call(const Call& call, const std::string& detail) {
  report_.tool_begins(call.name, detail);
  if (Toolbox::has_effect(call.name)) {
    if (call.name == "Bash") {
      changes_.touch_all();
    } else {
      changes_.touch(detail);
    }
    session_.data().started_call = call.id;
    if (!save()) return {"[the session could not be saved]", ToolResult::Status::kFailed};
  }
  ToolResult result = toolbox_.run(call, options_.limit);
  report_.tool_ended(call.name, detail, result);
  return result;
}

std::optional<int> Agent::ask() {
  SessionData& data = session_.data();
  for (int rooms = 0;; ++rooms) {
    // A token has about four bytes.
    if (options_.context_tokens > 0 &&
        json_text(data.items).size() / 4 > static_cast<std::size_t>(options_.context_tokens)) {
      make_room();
    }
    Request request{options_.model, options_.effort, instructions_,
                    data.task_id,   data.items,      toolbox_.specs()};
    auto answer = client_.ask(request);
    if (auto* turn = std::get_if<Turn>(&answer)) {
      take(std::move(*turn));
      if (!save()) return kExitFailed;
      return std::nullopt;
    }
    const Failure& failure = std::get<Failure>(answer);
    if (failure.kind != Failure::Kind::kContext || rooms >= kMostRooms) return fail(failure);
    if (!make_room()) return fail(failure);
  }
}

/// Drops old tool output from the conversation. Returns false if there is nothing left to drop.
bool Agent::make_room() {
  SessionData& data = session_.data();
  const std::size_t before = json_text(data.items).size();
  const std::size_t wanted =
      options_.context_tokens > 0
          ? std::max<std::size_t>(
                before / 4,
                before - std::min(before, static_cast<std::size_t>(options_.context_tokens) * 3))
          : before / 2;
  const std::size_t dropped = drop_old_output(data.items, wanted);
  if (dropped == 0) return false;
  report_.progress("The context is full: the output of " + std::to_string(dropped) +
                   " old tool calls was dropped");
  (void)save();
  return true;
}

void Agent::take(Turn turn) {
  SessionData& data = session_.data();
  ++iterations_;
  ++data.iterations;
  data.usage += turn.usage;
  data.api = to_string(client_.api());
  std::set<std::string> known;
  for (const json& item : data.items) {
    if (is_type(item, "function_call")) known.insert(text_of(item, "call_id"));
  }
  Said said;
  bool calls = false, runs = false;
  for (json& item : turn.items) {
    said.add(item);
    if (is_type(item, "function_call")) {
      calls = true;
      runs = runs || text_of(item, "status") != "incomplete";
      // Local servers may reuse call ids, but an id must be unique within the conversation.
      if (!known.insert(text_of(item, "call_id")).second) item["call_id"] = "call_" + random_hex(8);
    }
    data.items.push_back(std::move(item));
  }
  const auto ask_again = [&](const char* text) {
    data.items.push_back(message_item("user", "input_text", text));
  };
  const bool broken = !calls && turn.cut;
  if (!said.text.empty()) report_.message(said.text, !broken);
  if (!turn.usage.empty()) report_.usage(data.usage);
  ++empty_;
  if (!said.refusal.empty() || runs) {
    empty_ = 0;
  } else if (calls) {
    report_.warning("the model's call arrived incomplete: it was not run");
  } else if (broken) {
    report_.warning("the model's answer was cut off: it is asked to continue");
    ask_again("Your answer was cut off. Go on, in smaller steps.");
  } else if (said.text.find_first_not_of(" \t\r\n") == std::string::npos) {
    ask_again("Your answer was empty. Go on with the task, or say in a sentence that it is done.");
  } else {
    empty_ = 0;
  }
}

int Agent::finish(const Ending& ending) {
  SessionData& data = session_.data();
  data.status = ending.status;
  data.outcome = {{"text", ending.text}, {"options", ending.options}, {"files", changes()}};
  if (!save()) return kExitFailed;
  if (ending.status == Status::kComplete) changes_.end();
  return repeat();
}

int Agent::repeat() {
  const SessionData& data = session_.data();
  const json& outcome = data.outcome;
  std::vector<std::string> options;
  for (const json& option : array_of(outcome, "options")) {
    if (option.is_string()) options.push_back(option);
  }
  const std::string text = text_of(outcome, "text");
  report_.files(array_of(outcome, "files"));
  switch (data.status) {
    case Status::kQuestion:
      report_.question(text, options);
      report_.done(true, last_said().text);
      return kExitQuestion;
    case Status::kBlocked:
      report_.blocked(text);
      report_.error({ErrorKind::kFailed, "blocked: " + printable(text, 1000),
                     "resolve it, then run the same TASK-ID again and say so"},
                    "failed");
      report_.done(false, text);
      return kExitBlocked;
    default:
      report_.complete(data.iterations);
      report_.done(true, text);
      return kExitComplete;
  }
}

int Agent::fail(const Failure& failure) {
  const auto [code, hint] = advice_for(failure.kind);
  return fail({ErrorKind::kFailed, failure.message, hint}, to_string(failure.kind), code, &failure);
}

int Agent::fail(const Error& error, const char* what, int code, const Failure* failure) {
  (void)save();
  const json files = changes();
  if (code == kExitLimit || !files.empty()) report_.files(files);
  report_.error(error, what, failure);
  report_.done(false, error.message);
  return code;
}

/// Returns a {path, change} for each changed file, even after the wall limit is reached.
json Agent::changes() {
  const Clock* clock = options_.limit.clock;
  bool partial = false;
  json files = json::array();
  for (const Change& change :
       changes_.now(partial, {clock, clock->monotonic_ms() + kLastLookMs, -1})) {
    files.push_back({{"path", change.path}, {"change", change.what}});
  }
  if (partial) report_.warning("the repository is too large to compare all of it");
  return files;
}

bool Agent::save(Durable durable) {
  auto saved = session_.save(durable);
  if (!saved) report_.error(saved.error());
  return saved.ok();
}

}  // namespace moonlet::executor
