#include "host/web/commands.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "host/base/id.h"
#include "host/base/text.h"
#include "host/process/child/spawn.h"
#include "host/process/client/helper.h"

namespace moonlet::web {

namespace {

constexpr std::size_t kLongestValue = 20'000;
constexpr std::size_t kMostCommands = 16;

enum class Kind { kRun, kSession, kTask, kText, kWord };

struct Value {
  const char* name;
  Kind kind;
  bool is_required = true;
};

struct Command {
  const char* name;
  std::vector<const char*> words;  ///< the command's verb and the options that it always has
  std::vector<Value> arguments;    ///< positional arguments, in this order
  std::vector<Value> options;      ///< passed as --NAME=VALUE
  bool acts = false;
};

constexpr Value kRun{"run", Kind::kRun}, kSession{"session", Kind::kSession};
constexpr Value kText{"text", Kind::kText}, kNote{"note", Kind::kText, false};
/// A decision about a text always requires the hash of the text that the page has shown.
constexpr Value kSha{"sha", Kind::kWord};

constexpr Value word(const char* name) { return {name, Kind::kWord, false}; }
constexpr Value text(const char* name) { return {name, Kind::kText, false}; }

/// Returns the commands that the page may start.
const std::vector<Command>& all_commands() {
  static const std::vector<Command> list = {
      {"runs", {"run", "list"}, {}, {word("limit"), word("status"), {"before", Kind::kRun, false}}},
      {"run", {"run", "show"}, {kRun}, {}},
      {"diff", {"run", "diff"}, {kRun, {"other", Kind::kRun}}, {}},
      {"reviews", {"review", "list"}, {}, {}},
      {"review", {"review", "show"}, {kRun}, {}},
      {"queue", {"run", "queue"}, {}, {}},
      {"usage", {"usage"}, {}, {word("by")}},
      {"sessions", {"session", "list"}, {}, {}},
      {"screen", {"session", "screen"}, {kSession}, {}},
      {"explain", {"session", "explain"}, {kSession}, {}},
      {"answer",
       {"answer", "--detached"},
       {kRun, {"value", Kind::kText}},
       {kSha, {"key", Kind::kText}, kNote},
       true},
      {"approve", {"review", "approve"}, {kRun}, {kSha, kNote}, true},
      {"reject", {"review", "reject"}, {kRun}, {kSha, kNote}, true},
      {"comment", {"review", "comment"}, {kRun, {"place", Kind::kText}, kText}, {kSha}, true},
      {"decide", {"decide"}, {kRun, {"value", Kind::kWord}}, {text("why")}, true},
      {"replay",
       {"run", "replay", "--background"},
       {kRun},
       {text("reason"), text("runner"), text("model")},
       true},
      {"resume", {"run", "resume", "--detached", "--asked"}, {kRun}, {}, true},
      {"cancel", {"run", "cancel"}, {kRun}, {}, true},
      {"start", {"run", "--background", "--if-ready"}, {{"task", Kind::kTask}}, {}, true},
      {"submit", {"session", "submit"}, {kSession, kText}, {}, true},
  };
  return list;
}

Error invalid(std::string message) {
  return {ErrorKind::kInvalid, std::move(message), "load the page again"};
}

bool fits(const std::string& text, Kind kind) {
  switch (kind) {
    case Kind::kRun:
      return id_number('R', text) != 0;
    case Kind::kSession:
      return id_number('S', text) != 0;
    case Kind::kTask:
      return id_number('T', text) != 0;
    case Kind::kWord:
      return is_valid_id(text);
    case Kind::kText:
      return text.size() <= kLongestValue && is_valid_utf8(text) &&
             text.find('\0') == std::string::npos;
  }
  return false;
}

/// Returns the commands whose page was closed. They may still run, but nobody reads their output.
std::vector<std::pair<pid_t, Fd>>& left() {
  static std::vector<std::pair<pid_t, Fd>> list;
  return list;
}
std::size_t running = 0;

class CommandBody final : public Body {
 public:
  CommandBody(pid_t pid, Fd out, bool acts) : pid_(pid), out_(std::move(out)), acts_(acts) {
    ++running;
  }
  ~CommandBody() override {
    --running;
    if (!acts_ && out_) ::kill(pid_, SIGTERM);
    left().emplace_back(pid_, std::move(out_));
  }
  CommandBody(const CommandBody&) = delete;
  CommandBody& operator=(const CommandBody&) = delete;

  long read(char* into, std::size_t size) override {
    if (!out_) return kEnd;
    const long count = read_some(out_.get(), into, size);
    if (count > 0) return count;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
    (void)out_.close();
    return kEnd;
  }
  bool is_ready() override {
    pollfd ready{out_.get(), POLLIN, 0};
    return ::poll(&ready, 1, 0) != 0;
  }
  int fd() const override { return out_.get(); }

 private:
  pid_t pid_;
  Fd out_;
  bool acts_;
};

}  // namespace

Result<std::vector<std::string>> command_words(const std::string& name, const Values& values,
                                               const std::string& repo, bool acts) {
  const auto& list = all_commands();
  const auto found = std::find_if(list.begin(), list.end(), [&](const Command& command) {
    return command.name == name && command.acts == acts;
  });
  if (found == list.end()) return invalid("there is no command '" + printable(name, 40) + "'");
  std::vector<std::string> words(found->words.begin(), found->words.end());
  std::vector<std::string> rest;
  std::size_t used = 0;
  const auto take = [&](const Value& value) -> Result<const std::string*> {
    const auto given = values.find(value.name);
    if (given == values.end()) {
      if (!value.is_required) return nullptr;
      return invalid(name + " needs '" + value.name + "'");
    }
    ++used;
    if (fits(given->second, value.kind)) return &given->second;
    return invalid(std::string("the value of '") + value.name + "' is malformed");
  };
  for (const Value& value : found->options) {
    auto given = take(value);
    if (!given) return given.error();
    if (*given != nullptr) words.push_back(std::string("--") + value.name + "=" + **given);
  }
  for (const Value& value : found->arguments) {
    auto given = take(value);
    if (!given) return given.error();
    if (*given != nullptr) rest.push_back(**given);
  }
  if (used != values.size()) return invalid(name + " was given a value that it does not take");
  words.push_back("--json");
  words.push_back("--repo=" + repo);
  words.emplace_back("--");
  words.insert(words.end(), rest.begin(), rest.end());
  return words;
}

Result<std::unique_ptr<Body>> start_command(std::vector<std::string> argv, const std::string& cwd,
                                            bool acts) {
  reap_commands();
  if (running >= kMostCommands) {
    return Error{ErrorKind::kLimit, "too many commands run at once", "try again in a moment"};
  }
  int read_end = -1, write_end = -1;
  if (!make_output_pipe(read_end, write_end)) {
    return Error::from_errno(errno, "make a pipe for", argv[0]);
  }
  Fd out(read_end), in(write_end);
  HelperCall call{std::move(argv), own_environment(), cwd};
  auto pid = start_helper(call, in.get(), -1);
  if (!pid) return pid.error();
  return std::unique_ptr<Body>(new CommandBody(*pid, std::move(out), acts));
}

void reap_commands() {
  auto& list = left();
  char rest[4096];
  for (auto& [pid, out] : list) {
    // Empty the pipe. If it were full, the command could not continue.
    while (out && read_some(out.get(), rest, sizeof rest) > 0) {
    }
  }
  list.erase(std::remove_if(list.begin(), list.end(),
                            [](const auto& entry) {
                              const pid_t ended = ::waitpid(entry.first, nullptr, WNOHANG);
                              return ended == entry.first || (ended < 0 && errno == ECHILD);
                            }),
             list.end());
}

}  // namespace moonlet::web
