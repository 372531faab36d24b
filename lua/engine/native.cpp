#include "lua/engine/native.h"

#include <exception>

#include "host/base/json.h"

namespace moonlet {

namespace {

constexpr std::size_t kLongestName = 40;
constexpr std::size_t kLongestAnswer = std::size_t{16} << 20;

Error invalid(std::string message, std::string hint = {}) {
  return Error{ErrorKind::kInvalid, std::move(message), std::move(hint), {}};
}

bool is_name(const std::string& name) {
  if (name.empty() || name.size() > kLongestName || name[0] < 'a' || name[0] > 'z') return false;
  return name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
}

Result<std::optional<Schema>> compile(const std::string& text, const std::string& owner) {
  if (text.empty()) return std::optional<Schema>();
  auto document = parse_json(text);
  if (!document) {
    return invalid(owner + " is not JSON: " + document.error().message, document.error().at);
  }
  auto schema = Schema::compile(*document);
  if (!schema) {
    return invalid(owner + " is wrong: " + schema.error().message, schema.error().at);
  }
  return std::optional<Schema>(std::move(*schema));
}

/// Returns true for kinds of errors that control the engine. An error of a native function must not
/// have such a kind.
bool is_of_engine(ErrorKind kind) {
  return kind == ErrorKind::kCancelled || kind == ErrorKind::kParked ||
         kind == ErrorKind::kBudget || kind == ErrorKind::kLimit;
}

Result<nlohmann::json> checked(const ReplyInbox::Answer& answer, const std::string& name,
                               const std::optional<Schema>& schema) {
  if (!answer) {
    Error error = answer.error();
    if (is_of_engine(error.kind)) error.kind = ErrorKind::kFailed;
    if (error.message.empty()) error.message = "ctx.host." + name + " failed and gave no reason";
    return error;
  }
  JsonLimits limits;
  limits.max_bytes = kLongestAnswer;
  auto value = parse_json(*answer, limits);
  Error error;
  error.hint = "the error is in the program's function, not in the preset";
  if (!value) {
    error.message =
        "ctx.host." + name + " answered with text that is not JSON: " + value.error().message;
    return error;
  }
  if (!schema) return value;
  const ValidationReport report = schema->validate(*value);
  if (report.ok) return value;
  error.message =
      "the answer of ctx.host." + name + " does not match its schema: " + to_text(report);
  return error;
}

}  // namespace

// --- the program's handles of a call

const std::string& Call::arguments() const { return state_->arguments; }
const std::string& Call::function() const { return state_->function; }
const std::string& Call::run() const { return state_->run; }
const std::string& Call::step() const { return state_->step; }
bool Call::cancelled() const { return state_->over.load(); }

namespace {

bool answer(const std::shared_ptr<CallState>& state, ReplyInbox::Answer given) {
  ReplyInbox& inbox = *state->inbox;
  const std::lock_guard lock(inbox.mutex);
  const bool late = state->answered.exchange(true) || state->over.load();
  if (late) {
    inbox.dropped.push_back(state->function);
  } else {
    inbox.items.push_back({state, std::move(given)});
  }
  inbox.wake->send();
  return !late;
}

}  // namespace

bool Reply::result(std::string json) const { return answer(state_, std::move(json)); }
bool Reply::error(Error error) const { return answer(state_, std::move(error)); }

// --- calls

class NativeTable::Pending final : public HostCall, public std::enable_shared_from_this<Pending> {
 public:
  Pending(NativeTable& table, std::shared_ptr<const Entry> entry, std::shared_ptr<CallState> state)
      : table_(&table), entry_(std::move(entry)), state_(std::move(state)) {
    table_->waiting_.emplace(state_.get(), this);
  }
  ~Pending() override { leave(); }

  void start() {
    const std::int64_t limit = entry_->function.timeout_ms;
    if (limit > 0) {
      timer_ = table_->loop_.after(limit, [weak = weak_from_this()] {
        if (auto self = weak.lock()) self->time_out();
      });
    }
    table_->invoke(entry_, state_);
  }
  void finish(const ReplyInbox::Answer& answer) {
    result_ = checked(answer, state_->function, entry_->result);
    leave();
    complete();
  }
  /// Detaches the call from an engine that is being destroyed. All later answers are ignored.
  void abandon() {
    state_->over.store(true);
    table_ = nullptr;
    timer_.reset();
  }
  const Result<nlohmann::json>& result() const override { return result_; }

 private:
  void start_cancel() override {
    leave();
    complete();
  }
  void time_out() {
    timer_.reset();
    const std::string limit = std::to_string(entry_->function.timeout_ms) + " ms";
    finish(Error{ErrorKind::kTimeout,
                 "ctx.host." + state_->function + " gave no answer within " + limit,
                 {},
                 {}});
  }
  void leave() {
    state_->over.store(true);
    if (table_ == nullptr) return;
    if (timer_) table_->loop_.cancel(*std::exchange(timer_, std::nullopt));
    table_->waiting_.erase(state_.get());
    table_ = nullptr;
  }

  NativeTable* table_;  // null once the call has ended
  std::shared_ptr<const Entry> entry_;
  std::shared_ptr<CallState> state_;
  std::optional<Loop::TimerId> timer_;
  Result<nlohmann::json> result_ = Error{};
};

NativeTable::NativeTable(Loop& loop, std::shared_ptr<Wake> wake,
                         std::function<void(const std::string&)> report)
    : loop_(loop), inbox_(std::make_shared<ReplyInbox>()), report_(std::move(report)) {
  inbox_->wake = std::move(wake);
}

NativeTable::~NativeTable() {
  for (auto& [state, pending] : waiting_) pending->abandon();
  // An answer that is not delivered yet holds its call, which holds the inbox.
  const std::lock_guard lock(inbox_->mutex);
  inbox_->items.clear();
}

Result<void> NativeTable::provide(NativeFunction function) {
  const std::string owner = "the function '" + function.name + "'";
  if (!is_name(function.name)) {
    return invalid(owner + " has no valid name",
                   "use at most 40 of a-z, 0-9 and _, a letter first");
  }
  if (!function.call) return invalid(owner + " has no callback");
  if (function.timeout_ms < 0) return invalid(owner + " has a negative timeout");
  if (entries_.count(function.name) != 0) return invalid(owner + " is provided already");
  auto arguments = compile(function.schema, "the schema of " + owner);
  if (!arguments) return arguments.error();
  auto result = compile(function.result_schema, "the result schema of " + owner);
  if (!result) return result.error();
  const bool acts = function.effect == NativeFunction::Effect::kAct;
  described_[function.name] = {{"effect", acts ? "act" : "observe"}, {"summary", function.summary}};
  const std::string name = function.name;
  entries_[name] = std::make_shared<const Entry>(
      Entry{std::move(function), std::move(*arguments), std::move(*result)});
  return {};
}

Result<void> NativeTable::add_preset(const std::string& name,
                                     std::map<std::string, std::string> files) {
  if (files.count("init.lua") == 0) {
    return invalid("the preset '" + name + "' has no file init.lua",
                   "give the text of its main file that name");
  }
  presets_[name] = std::move(files);
  return {};
}

void NativeTable::invoke(const std::shared_ptr<const Entry>& entry,
                         const std::shared_ptr<CallState>& state) {
  auto run = [entry, state] {
    // This deleter runs on any thread when the last copy of the reply is destroyed.
    std::shared_ptr<void> last(nullptr, [state](void*) {
      if (state->answered.load() || state->over.load()) return;
      Error error;
      error.message = "ctx.host." + state->function + " ended without an answer";
      answer(state, std::move(error));
    });
    const Reply reply(std::move(last), state);
    std::string thrown;
    try {
      entry->function.call(Call(state), reply);
      return;
    } catch (const std::exception& e) {
      thrown = e.what();
    } catch (...) {
      thrown = "an exception of an unknown type";
    }
    Error error;
    error.message = "ctx.host." + state->function + " threw: " + thrown;
    reply.error(std::move(error));
  };
  if (entry->function.blocking) {
    workers_.run(std::move(run));
    return;
  }
  const bool outer = std::exchange(calling_, true);
  run();
  calling_ = outer;
}

Result<std::shared_ptr<HostCall>> NativeTable::call(const std::string& name,
                                                    nlohmann::json arguments,
                                                    const std::string& run,
                                                    const std::string& step) {
  const auto at = entries_.find(name);
  if (at == entries_.end()) return invalid("this program provides no function '" + name + "'");
  const auto& entry = at->second;
  if (entry->arguments) {
    const ValidationReport report = entry->arguments->validate(arguments);
    if (!report.ok) {
      return invalid("ctx.host." + name +
                     ": the arguments do not match its schema: " + to_text(report));
    }
  }
  auto state = std::make_shared<CallState>();
  state->function = name;
  state->arguments = json_text(arguments);
  state->run = run;
  state->step = step;
  state->inbox = inbox_;
  auto pending = std::make_shared<Pending>(*this, entry, std::move(state));
  pending->start();
  return std::shared_ptr<HostCall>(std::move(pending));
}

void NativeTable::deliver() {
  std::vector<ReplyInbox::Item> items;
  std::vector<std::string> dropped;
  {
    const std::lock_guard lock(inbox_->mutex);
    items.swap(inbox_->items);
    dropped.swap(inbox_->dropped);
  }
  for (const std::string& name : dropped) {
    report_("ctx.host." + name + " answered a second time or too late: the answer is dropped");
  }
  for (auto& item : items) {
    const auto at = waiting_.find(item.call.get());
    if (at == waiting_.end()) {
      report_("ctx.host." + item.call->function + " answered too late: the answer is dropped");
      continue;
    }
    auto pending = at->second->shared_from_this();
    pending->finish(item.answer);
  }
}

}  // namespace moonlet
