#include "host/process/wire/keeper_log.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "host/artifact/file/dir_open.h"
#include "host/base/append_lines.h"
#include "host/base/fd.h"
#include "host/base/text.h"
#include "host/telemetry/secret/credential.h"

namespace moonlet {

namespace {

using nlohmann::json;

constexpr std::size_t kArgvLimit = 4096;
constexpr std::size_t kLineLimit = 256 * 1024;
constexpr std::string_view kNoCharacter = "\xef\xbf\xbd";
constexpr std::size_t kBacklogLimit = 1024 * 1024;
constexpr int kMostTries = 50;  // maximum attempts to write after EAGAIN, 1 ms apart

// Lists a stream's fields: bytes read, bytes kept (if different), cut, errno of a failed write.
constexpr const char* kOutNames[4] = {"out", "out_kept", "out_cut", "out_errno"};
constexpr const char* kErrNames[4] = {"err", "err_kept", "err_cut", "err_errno"};

void add_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    std::size_t length = utf8_sequence(text);
    auto byte = static_cast<unsigned char>(text[0]);
    if (length == 0) {
      out += kNoCharacter;
      length = 1;
    } else if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text[0];
    } else if (byte < 0x20 || byte == 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", byte);
      out += escape;
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  out += '"';
}

// `Line` builds a record as text, not as a JSON tree, so that a start record can be split where the
// child inserts its pid (see StartRecord).
class Line {
 public:
  explicit Line(std::string_view record) {
    text_ = "{\"record\":";
    add_string(text_, record);
  }
  Line& add(const char* name, std::string_view value) {
    key(name);
    add_string(text_, value);
    return *this;
  }
  template <typename T, typename = std::enable_if_t<std::is_integral_v<T>>>
  Line& add(const char* name, T value) {
    key(name);
    text_ += std::to_string(value);
    return *this;
  }
  // Adds a field unless its value is empty.
  Line& add_some(const char* name, std::string_view value) {
    return value.empty() ? *this : add(name, value.substr(0, kArgvLimit));
  }
  void key(const char* name) {
    text_ += ",\"";
    text_ += name;
    text_ += "\":";
  }
  std::string& text() { return text_; }
  std::string end() {
    text_ += "}\n";
    return std::move(text_);
  }

 private:
  std::string text_;
};

}  // namespace

std::string keeper_line(const KeeperRecord& record) {
  return Line("keeper")
      .add("version", record.version)
      .add("run", record.run_id)
      .add("token", record.token)
      .add("boot", record.boot_id)
      .add("guard", record.guard_pid)
      .add("guard_born", record.guard_born_ms)
      .add("worker", record.worker_pid)
      .add("worker_born", record.worker_born_ms)
      .add("cgroup", record.cgroup)
      .add("generation", record.generation)
      .add_some("file", record.log_file)
      .add_some("run_dir", record.run_dir)
      .add_some("label", record.label)
      .add_some("machine", record.machine)
      .end();
}

std::string host_line(std::uint64_t generation, std::int64_t now_ms) {
  return Line("host").add("generation", generation).add("at", now_ms).end();
}

std::string intent_line(std::uint32_t number, std::string_view step, std::string_view attempt,
                        std::string_view argv) {
  Line line("intent");
  line.add("n", number).add("step", step.substr(0, kArgvLimit)).add_some("attempt", attempt);
  line.key("argv");
  std::string& text = line.text();
  text += '[';
  std::size_t room = kArgvLimit;
  bool first = true;
  std::string_view before;
  while (!argv.empty() && room > 0) {
    const std::string_view given = argv.substr(0, argv.find('\0'));
    const std::string word = mask_credentials(given.substr(0, kArgvLimit), before);
    before = given;
    argv.remove_prefix(std::min(given.size() + 1, argv.size()));
    if (!first) text += ',';
    first = false;
    add_string(text, std::string_view(word).substr(0, room));
    room -= std::min(room, word.size() + 1);
  }
  text += ']';
  if (!argv.empty()) line.add("more", static_cast<std::int64_t>(argv.size()));
  return line.end();
}

StartLine start_line(std::uint32_t number, std::string_view step, std::string_view attempt,
                     std::int64_t born_ms, std::int64_t started_ms, std::int64_t deadline_ms) {
  Line line("start");
  line.add("n", number).add("step", step.substr(0, kArgvLimit)).add_some("attempt", attempt);
  line.add("born", born_ms);
  line.add("at", started_ms).add("deadline", deadline_ms);
  line.key("pid");
  return {std::move(line.text()), "}\n"};
}

std::string reaped_line(std::uint32_t number, int code, int signal) {
  return Line("reaped").add("n", number).add("code", code).add("signal", signal).end();
}

std::string exit_line(std::uint32_t number, const ChildExit& exit, std::int64_t now_ms) {
  Line line("exit");
  line.add("n", number).add("why", to_string(exit.why));
  line.add("code", exit.code).add("signal", exit.signal).add("at", now_ms);
  line.add("ms", exit.duration_ms).add("cpu_ms", exit.cpu_ms).add("rss_kb", exit.max_rss_kb);
  if (exit.pid > 0) line.add("pid", exit.pid);
  const auto add_stream = [&](const Captured& stream, const char* const(&names)[4]) {
    line.add(names[0], stream.total);
    if (stream.kept != stream.total) line.add(names[1], stream.kept);
    if (stream.cut) line.add(names[2], 1);
    if (stream.write_errno != 0) line.add(names[3], stream.write_errno);
  };
  add_stream(exit.out, kOutNames);
  add_stream(exit.err, kErrNames);
  if (!exit.drained) line.add("drained", 0);
  if (exit.stragglers > 0) line.add("stragglers", exit.stragglers);
  if (exit.out_in_time > 0) line.add("out_in_time", exit.out_in_time);
  if (!exit.error.message.empty()) {
    line.add_some("error", exit.error.message).add("error_kind", to_string(exit.error.kind));
    line.add_some("error_hint", exit.error.hint).add_some("error_at", exit.error.at);
  }
  return line.end();
}

std::string lost_line(std::uint32_t number, std::string_view why, std::int64_t now_ms) {
  return Line("lost").add("n", number).add("why", why).add("at", now_ms).end();
}

std::string swept_line(pid_t pid, std::uint32_t number, std::int64_t now_ms) {
  return Line("swept").add("n", number).add("pid", pid).add("at", now_ms).end();
}

std::string end_line(std::string_view why, std::int64_t now_ms) {
  return Line("end").add("why", why).add("at", now_ms).end();
}

std::string logged_name(std::string_view name) {
  std::string logged;
  for (name = name.substr(0, kArgvLimit); !name.empty();) {
    const std::size_t length = utf8_sequence(name);
    logged += length == 0 ? kNoCharacter : name.substr(0, length);
    name.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return logged;
}

Result<int> open_keeper_log(int run_dir_fd, bool lock) {
  int fd;
  do {
    fd = openat(run_dir_fd, kKeeperLogName,
                O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return Error::from_errno(errno, "open", kKeeperLogName);
  if (lock && flock(fd, LOCK_EX | LOCK_NB) != 0) {
    int number = errno;
    close(fd);
    if (number != EWOULDBLOCK) return Error::from_errno(number, "lock", kKeeperLogName);
    return Error{ErrorKind::kDenied, "a keeper is at work in this run's directory already",
                 "wait until it has ended, or end the run that it belongs to", kKeeperLogName};
  }
  return fd;
}

namespace {

// Returns 0 or an errno. Retries on a temporary error.
int write_lines(int fd, std::string_view lines) {
  int number = append_lines(fd, lines);
  for (int tries = 0; number == EAGAIN && tries < kMostTries; ++tries) {
    poll(nullptr, 0, 1);
    number = append_lines(fd, lines);
  }
  return number;
}

// Turns the errno of a write into a Result. If the write succeeded and `durable` is true, first
// syncs the log.
Result<void> finish_write(int fd, int number, bool durable) {
  if (number == 0 && durable && sync_data(fd) != 0) number = errno;
  return number == 0 ? Result<void>() : Error::from_errno(number, "write", kKeeperLogName);
}

}  // namespace

Result<void> KeeperLogWriter::flush(bool durable) {
  int number = waiting_.empty() ? 0 : write_lines(fd_, waiting_);
  const bool full = number == ENOSPC || number == EDQUOT;
  if (full && durable && reserve_ != nullptr && reserve_->give(waiting_.size())) {
    number = write_lines(fd_, waiting_);
  }
  if (number == 0) waiting_.clear();
  if (waiting_.size() > kBacklogLimit) {
    std::size_t cut = waiting_.find('\n', waiting_.size() - kBacklogLimit);
    waiting_.erase(0, cut == std::string::npos ? waiting_.size() : cut + 1);
  }
  return finish_write(fd_, number, durable);
}

Result<void> KeeperLogWriter::append(std::string_view lines, bool durable) {
  if (auto flushed = flush(false); !flushed) return flushed;
  return finish_write(fd_, write_lines(fd_, lines), durable);
}

namespace {

std::string text_of(const json& record, const char* name) {
  auto field = record.find(name);
  return field != record.end() && field->is_string() ? field->get<std::string>() : std::string();
}

std::int64_t number_of(const json& record, const char* name, std::int64_t fallback = 0) {
  auto field = record.find(name);
  return field != record.end() && field->is_number_integer() ? field->get<std::int64_t>()
                                                             : fallback;
}

// The log's pids are untrusted. Refuse 0 and -1, which kill() treats as many processes.
pid_t pid_of(const json& record, const char* name) {
  std::int64_t pid = number_of(record, name);
  return pid > 1 && pid <= INT32_MAX ? static_cast<pid_t>(pid) : 0;
}

std::uint64_t count_of(const json& record, const char* name, std::uint64_t fallback = 0) {
  auto field = record.find(name);
  return field != record.end() && field->is_number_unsigned() ? field->get<std::uint64_t>()
                                                              : fallback;
}

int small_of(const json& record, const char* name, int fallback = 0) {
  std::int64_t number = number_of(record, name, fallback);
  return number >= INT32_MIN && number <= INT32_MAX ? static_cast<int>(number) : fallback;
}

Captured stream_of(const json& record, const char* const (&names)[4]) {
  Captured stream;
  stream.total = count_of(record, names[0]);
  stream.kept = count_of(record, names[1], stream.total);
  stream.write_errno = small_of(record, names[3]);
  // An older record has no "cut". Assume a cut if bytes are missing although no write failed.
  stream.cut = small_of(record, names[2], stream.kept != stream.total && stream.write_errno == 0);
  return stream;
}

Error error_of(const json& record) {
  Error error;
  error.message = text_of(record, "error");
  error.hint = text_of(record, "error_hint");
  error.at = text_of(record, "error_at");
  const std::string kind = text_of(record, "error_kind");
  for (int i = 0; i <= static_cast<int>(ErrorKind::kFailed); ++i) {
    if (to_string(static_cast<ErrorKind>(i)) == kind) error.kind = static_cast<ErrorKind>(i);
  }
  return error;
}

ChildExit exit_of(const json& record) {
  ChildExit exit;
  exit.error = error_of(record);
  const std::string why = text_of(record, "why");
  if (auto known = why_from(why)) {
    exit.why = *known;
  } else {
    exit.why = ChildExit::Why::kLost;
    exit.error = Error{ErrorKind::kLost, "its exit is recorded in an unknown form: " + why,
                       "use the version of moonlet that started the run", kKeeperLogName};
  }
  exit.code = small_of(record, "code", -1);
  exit.signal = small_of(record, "signal");
  exit.out = stream_of(record, kOutNames);
  exit.err = stream_of(record, kErrNames);
  exit.drained = small_of(record, "drained", 1) != 0;
  exit.stragglers = small_of(record, "stragglers");
  exit.out_in_time = count_of(record, "out_in_time");
  exit.duration_ms = number_of(record, "ms");
  exit.cpu_ms = number_of(record, "cpu_ms");
  exit.max_rss_kb = number_of(record, "rss_kb");
  exit.pid = pid_of(record, "pid");
  return exit;
}

KeeperRecord keeper_of(const json& record) {
  KeeperRecord keeper;
  keeper.version = text_of(record, "version");
  keeper.run_id = text_of(record, "run");
  keeper.token = text_of(record, "token");
  keeper.boot_id = text_of(record, "boot");
  keeper.cgroup = text_of(record, "cgroup");
  keeper.guard_pid = pid_of(record, "guard");
  keeper.guard_born_ms = number_of(record, "guard_born");
  keeper.worker_pid = pid_of(record, "worker");
  keeper.worker_born_ms = number_of(record, "worker_born");
  keeper.generation = count_of(record, "generation");
  keeper.log_file = text_of(record, "file");
  keeper.run_dir = text_of(record, "run_dir");
  keeper.label = text_of(record, "label");
  keeper.machine = text_of(record, "machine");
  return keeper;
}

class LogReader {
 public:
  explicit LogReader(bool live_only) : live_only_(live_only) {}

  void line(std::string_view text) {
    if (text.empty() || text.size() > kLineLimit) return;
    json record = json::parse(text, nullptr, false);
    if (!record.is_object()) return;
    std::string kind = text_of(record, "record");
    if (kind == "keeper") {
      keepers_.push_back({keeper_of(record), false, {}, false});
      return;
    }
    if (keepers_.empty()) return;
    if (kind == "end") keepers_.back().ended = true;
    if (kind == "host") keepers_.back().record.generation = count_of(record, "generation");
    std::int64_t number = number_of(record, "n");
    if (number <= 0 || number > UINT32_MAX) return;
    child(kind, record, static_cast<std::uint32_t>(number));
  }
  std::vector<LoggedKeeper> take() { return std::move(keepers_); }

 private:
  void child(const std::string& kind, const json& record, std::uint32_t number) {
    using State = LoggedChild::State;
    auto& children = keepers_.back().children;
    const bool ends = kind == "exit" || kind == "lost";
    if (!ends && kind != "intent" && kind != "start" && kind != "reaped") return;
    if (ends && live_only_) {
      children.erase(number);
      return;
    }
    LoggedChild& child = children[number];
    child.number = number;
    if (kind == "intent" || kind == "start") {
      child.step = text_of(record, "step");
      child.attempt = text_of(record, "attempt");
    }
    if (kind == "intent") {
      if (auto argv = record.find("argv"); argv != record.end() && argv->is_array()) {
        for (const auto& word : *argv) {
          if (word.is_string()) child.argv.push_back(word.get<std::string>());
        }
      }
    } else if (kind == "start") {
      child.state = State::kStarted;
      child.pid = pid_of(record, "pid");
      child.born_ms = number_of(record, "born");
      child.started_ms = number_of(record, "at");
      child.deadline_ms = number_of(record, "deadline");
    } else if (kind == "reaped") {
      child.state = State::kReaped;
      child.exit.code = small_of(record, "code", -1);
      child.exit.signal = small_of(record, "signal");
    } else if (kind == "exit") {
      child.state = State::kExited;
      child.exit = exit_of(record);
    } else {
      child.state = State::kLost;
      child.exit.why = ChildExit::Why::kLost;
      child.exit.error = Error{ErrorKind::kLost, text_of(record, "why"), {}, kKeeperLogName};
    }
    if (child.exit.pid == 0) child.exit.pid = child.pid;
  }

  std::vector<LoggedKeeper> keepers_;
  bool live_only_;
};

// Passes each whole line of keeper.log to `take`, without newline. Skips lines above kLineLimit.
Result<void> read_lines(int run_dir_fd, const std::function<void(std::string_view)>& take) {
  Fd fd(openat(run_dir_fd, kKeeperLogName, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd && errno == ENOENT) return {};
  if (!fd) return Error::from_errno(errno, "open", kKeeperLogName);
  std::string pending;
  bool skipping = false;
  std::string buffer(64 * 1024, '\0');
  for (long got; (got = read_some(fd.get(), buffer.data(), buffer.size())) != 0;) {
    if (got < 0) return Error::from_errno(errno, "read", kKeeperLogName);
    std::string_view part(buffer.data(), static_cast<std::size_t>(got));
    for (std::size_t newline; (newline = part.find('\n')) != std::string_view::npos;) {
      pending += part.substr(0, newline);
      part.remove_prefix(newline + 1);
      if (!std::exchange(skipping, false)) take(pending);
      pending.clear();
    }
    if (pending.size() + part.size() > kLineLimit) {
      skipping = true;
      pending.clear();
    } else {
      pending += part;
    }
  }
  return {};
}

std::string identity_of(const struct stat& info) {
  return std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
}

std::string identify_log_in(int run_dir_fd) {
  struct stat info;
  if (fstatat(run_dir_fd, kKeeperLogName, &info, AT_SYMLINK_NOFOLLOW) != 0) return {};
  return identity_of(info);
}

}  // namespace

std::string identify_file(int fd) {
  struct stat info;
  return fstat(fd, &info) == 0 ? identity_of(info) : std::string();
}

std::string machine_name() {
  char name[256] = "";
  return gethostname(name, sizeof name - 1) == 0 ? name : "";
}

bool LoggedKeeper::may_have_started(const LoggedChild& child, std::string_view boot_id) const {
  if (child.state == LoggedChild::State::kExited && child.exit.why == ChildExit::Why::kNotStarted) {
    return false;
  }
  return child.state != LoggedChild::State::kIntent || record.boot_id != boot_id;
}

Result<std::vector<LoggedKeeper>> read_keeper_log(int run_dir_fd, bool live_only) {
  LogReader reader(live_only);
  auto read = read_lines(run_dir_fd, [&](std::string_view line) { reader.line(line); });
  if (!read) return read.error();
  auto keepers = reader.take();
  if (keepers.empty()) return keepers;
  const std::string file = identify_log_in(run_dir_fd);
  for (auto& keeper : keepers) {
    // Older records do not name their log file.
    keeper.copied = !keeper.record.log_file.empty() && keeper.record.log_file != file;
  }
  return keepers;
}

bool keeper_log_is_copy(int run_dir_fd) {
  auto keepers = read_keeper_log(run_dir_fd, true);
  return keepers && !keepers->empty() && keepers->back().copied;
}

KeeperGlance glance_at_keeper_log(int run_dir_fd) {
  KeeperGlance glance;
  // Parse only the needed lines, because a log may be long.
  (void)read_lines(run_dir_fd, [&](std::string_view line) {
    const auto is = [&](std::string_view start) { return line.substr(0, start.size()) == start; };
    const bool keeper = is("{\"record\":\"keeper\""), host = is("{\"record\":\"host\"");
    const bool end = is("{\"record\":\"end\"");
    if (!keeper && !host && !end) return;
    const json record = json::parse(line, nullptr, false);
    if (!record.is_object()) return;
    if (keeper) {
      glance = {text_of(record, "token"), count_of(record, "generation"), false};
    } else if (host) {
      glance.generation = count_of(record, "generation");
    } else {
      glance.ended = true;
    }
  });
  return glance;
}

}  // namespace moonlet
