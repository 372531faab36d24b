#include "host/executor/options.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "host/base/fd.h"
#include "host/base/id.h"
#include "host/base/text.h"
#include "host/executor/http/failure.h"
#include "host/executor/http/http.h"

namespace moonlet::executor {

namespace {

constexpr const char* kHelp = R"(usage: moonlet-executor TASK-ID DESCRIPTION PLAN-FILE [options]
       moonlet-executor --plan-template

Has a model implement one task in this repository, with tools of its own: Glob, Grep, Read, Write,
Edit and Bash. The same TASK-ID continues the same conversation: DESCRIPTION is then the answer
to its question, or what to do next.

  TASK-ID       letters, digits, '.', '_' and '-', at most 64; make it unique (task-3-20260102-a3f9)
  DESCRIPTION   what to implement; - reads it from standard input
  PLAN-FILE     the plan, Markdown (--plan-template prints one to fill in)

options:
  --json             print events as JSON lines
  --fork NEW-ID      branch: NEW-ID begins with the conversation of TASK-ID
  --no-plan          go without a plan file
  --read-only        change nothing: no Write, no Edit, and Bash writes nothing
  --network          let Bash use the network
  --env NAME         let Bash see this variable
  --startup-files    let tools write files that make programs start on this machine, such as
                     .envrc, .vscode, git hooks and settings of agents
  --no-bash          go without Bash
  --unconfined       run Bash with your own rights, where the kernel cannot confine it
  --api responses|chat   the API of the server; it is probed by default
  --context N        drop old tool output beyond about N tokens
  --wall TIME        give up after this time (30m)
  --idle TIME        give a request up after so long without a byte (5m)
  --help, --version, --plan-template

environment:
  OPENAI_API_KEY     needed, unless OPENAI_BASE_URL is this machine
  OPENAI_BASE_URL    https://api.openai.com/v1
  OPENAI_MODEL       gpt-5.2-codex
  REASONING_EFFORT   medium (low: simple CRUD, copying; medium: components, API integration;
                     high: complex algorithms, refactoring; xhigh: critical security or performance)
  REPO_ROOT          the git root
  STATE_DIR          {repo}/.codex-sessions/tasks
  MAX_ITERS          50: how many answers of the model one call may take

exit codes: 0 complete, 1 failed, 2 wrong usage, 3 a question, 5 a limit was reached, 6 blocked,
75 the account's quota is used up, 130 ended by a signal
)";

constexpr std::int64_t kDescriptionCap = 16 << 20;

Error usage(std::string message, std::string hint = "see moonlet-executor --help") {
  return {ErrorKind::kInvalid, std::move(message), std::move(hint)};
}

std::string environment(const char* name, const char* other) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != 0 ? value : other;
}

Result<std::int64_t> positive(const std::string& text, const std::string& what) {
  char* end = nullptr;
  const long long number = std::strtoll(text.c_str(), &end, 10);
  if (end == text.c_str() || *end != 0 || number < 1 || number > INT_MAX) {
    return usage(what + " is '" + printable(text, 60) + "'", "give a whole number, 1 or more");
  }
  return number;
}

Result<void> set_time(const std::string& option, const std::string& value, std::int64_t& to) {
  to = duration_ms(value);
  if (to > 0) return {};
  return usage(option + " is '" + printable(value, 60) + "'", "write it like 90s, 30m or 2h");
}

Result<void> take_value(Options& options, const std::string& option, const std::string& value) {
  if (option == "--fork") {
    options.fork = value;
    return check_id(value, "the NEW-ID of --fork");
  }
  if (option == "--env") {
    if (value == "OPENAI_API_KEY") return usage("the key is never given to a tool", "drop --env");
    options.env_names.push_back(value);
  } else if (option == "--api") {
    options.api = api_from(value);
    if (options.api == Api::kUnknown) {
      return usage("--api is '" + printable(value, 60) + "'", "write responses or chat");
    }
  } else if (option == "--context") {
    auto number = positive(value, option);
    if (!number) return number.error();
    options.context_tokens = *number;
  } else if (option == "--wall") {
    return set_time(option, value, options.wall_ms);
  } else {
    return set_time(option, value, options.idle_ms);
  }
  return {};
}

bool take_flag(Options& options, const std::string& word) {
  const std::pair<const char*, bool*> flags[] = {{"--json", &options.json},
                                                 {"--network", &options.network},
                                                 {"--unconfined", &options.unconfined},
                                                 {"--read-only", &options.read_only},
                                                 {"--no-plan", &options.no_plan},
                                                 {"--no-bash", &options.no_bash},
                                                 {"--startup-files", &options.startup_files}};
  for (const auto& [name, flag] : flags) {
    if (word == name) return *flag = true;
  }
  return false;
}

constexpr std::string_view kWithValue[] = {"--fork",    "--env",  "--api",
                                           "--context", "--wall", "--idle"};

/// Takes the options out of `words`. Returns the other words.
Result<std::vector<std::string>> read_words(const std::vector<std::string>& words,
                                            Options& options) {
  std::vector<std::string> rest;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    // No option has a blank, so a word with a blank is a description, such as "- add a button".
    if (word.size() < 2 || word[0] != '-' || word.find_first_of(" \n\t") != std::string::npos) {
      rest.push_back(word);
    } else if (word == "--") {
      rest.insert(rest.end(), words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
      break;
    } else if (word == "--help" || word == "-h") {
      options.action = Options::Action::kHelp;
    } else if (word == "--version") {
      options.action = Options::Action::kVersion;
    } else if (word == "--plan-template") {
      options.action = Options::Action::kPlanTemplate;
    } else if (!take_flag(options, word)) {
      const auto equals = word.find('=');
      const std::string option = word.substr(0, equals);
      const bool known =
          std::find(std::begin(kWithValue), std::end(kWithValue), option) != std::end(kWithValue);
      if (!known) return usage("unknown option " + printable(option, 60));
      const bool joined = equals != std::string::npos;
      if (!joined && ++i == words.size()) return usage(option + " needs a value");
      auto taken = take_value(options, option, joined ? word.substr(equals + 1) : words[i]);
      if (!taken) return taken.error();
    }
  }
  return rest;
}

Result<std::string> read_input(const Limit& limit) {
  std::string text;
  char buffer[64 * 1024];
  while (text.size() <= kDescriptionCap) {
    pollfd fds[2] = {{STDIN_FILENO, POLLIN, 0}, {limit.stop_fd, POLLIN, 0}};
    const auto left = limit.deadline_ms - limit.clock->monotonic_ms();
    ::poll(fds, 2, static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000)));
    if (limit.stopped()) return Error{ErrorKind::kCancelled, "ended by a signal"};
    if (limit.over()) {
      return Error{ErrorKind::kTimeout,
                   "the wall limit is reached: the DESCRIPTION on standard input has no end",
                   "close standard input, or raise --wall"};
    }
    if (fds[0].revents == 0) continue;
    const long size = read_some(STDIN_FILENO, buffer, sizeof buffer);
    if (size <= 0) break;
    text.append(buffer, static_cast<std::size_t>(size));
  }
  return text;
}

Result<void> read_environment(Options& options) {
  options.base_url = environment("OPENAI_BASE_URL", "https://api.openai.com/v1");
  while (!options.base_url.empty() && options.base_url.back() == '/') options.base_url.pop_back();
  options.model = environment("OPENAI_MODEL", "gpt-5.2-codex");
  options.effort = environment("REASONING_EFFORT", "medium");
  options.repo_root = environment("REPO_ROOT", "");
  options.state_dir = environment("STATE_DIR", "");
  for (const char c : options.key) {
    if (static_cast<unsigned char>(c) <= ' ') {
      return usage("OPENAI_API_KEY holds a blank or control character", "set it again, whole");
    }
  }
  auto most = positive(environment("MAX_ITERS", "50"), "MAX_ITERS");
  if (!most) return most.error();
  options.max_iterations = static_cast<int>(*most);
  auto loopback = is_loopback(options.base_url);
  if (!loopback) return loopback.error();
  if (options.key.empty() && !*loopback) {
    return usage("OPENAI_API_KEY required",
                 "export OPENAI_API_KEY=\"sk-...\", or set "
                 "OPENAI_BASE_URL to a server on this machine");
  }
  return {};
}

}  // namespace

std::string help_text() { return kHelp; }

std::string take_key() {
  char* value = std::getenv("OPENAI_API_KEY");
  if (value == nullptr) return {};
  std::string key = value;
  std::memset(value, 0, key.size());
  ::unsetenv("OPENAI_API_KEY");
  const auto first = key.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return {};
  return key.substr(first, key.find_last_not_of(" \t\r\n") - first + 1);
}

bool wants_json(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--json") == 0) return true;
  }
  return false;
}

Result<Options> read_options(int argc, char** argv, int stop_fd) {
  Options options;
  options.key = take_key();
  auto rest = read_words({argv + 1, argv + argc}, options);
  if (!rest) return rest.error();
  if (options.action != Options::Action::kRun) return options;
  options.limit = {&system_clock(), system_clock().monotonic_ms() + options.wall_ms, stop_fd};
  const std::size_t wanted = options.no_plan ? 2 : 3;
  if (rest->size() < wanted) {
    static constexpr const char* kNames[] = {"TASK-ID", "DESCRIPTION", "PLAN-FILE"};
    return usage(std::string("the ") + kNames[rest->size()] + " is missing",
                 "usage: moonlet-executor TASK-ID DESCRIPTION PLAN-FILE");
  }
  if (rest->size() > 3 || (options.no_plan && rest->size() > 2)) {
    return usage("'" + printable(rest->back(), 60) + "' is one word too many",
                 "put the description into quotes");
  }
  options.task_id = (*rest)[0];
  if (auto valid = check_id(options.task_id, "the TASK-ID"); !valid) return valid.error();
  options.description = (*rest)[1];
  if (options.description == "-") {
    auto input = read_input(options.limit);
    if (!input) return input.error();
    options.description = std::move(*input);
    if (options.description.size() > kDescriptionCap) {
      return usage("the DESCRIPTION on standard input is larger than 16 MB",
                   "put large texts into files, and name them");
    }
  }
  if (options.description.find_first_not_of(" \t\r\n") == std::string::npos) {
    return usage("the DESCRIPTION is empty", "say what to implement");
  }
  options.description = to_valid_utf8(options.description);
  if (rest->size() > 2) options.plan_file = (*rest)[2];
  if (auto read = read_environment(options); !read) return read.error();
  return options;
}

}  // namespace moonlet::executor
