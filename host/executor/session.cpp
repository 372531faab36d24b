#include "host/executor/session.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "host/base/clock.h"
#include "host/base/id.h"
#include "host/base/json.h"
#include "host/base/text.h"
#include "host/executor/http/items.h"
#include "host/executor/tools/workspace.h"
#include "host/process/child/tree.h"

namespace moonlet::executor {

namespace {

using nlohmann::json;
constexpr int kVersion = 1;
constexpr std::size_t kFileCap = 512 << 20;
constexpr std::int64_t kEndingMs = 10'000;

std::string file_of(const std::string& id) { return id + ".json"; }

bool lives(pid_t pid) {
  ProcessInfo info;
  return pid > 0 && read_process(pid, info) && !info.zombie;
}

Result<Fd> lock(const Dir& state, const std::string& id, pid_t owner) {
  auto opened = state.open_update(id + ".lock");
  if (!opened) return opened.error();
  const int fd = opened->get();
  const std::int64_t give_up = system_clock().monotonic_ms() + kEndingMs;
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Error::from_errno(errno, "lock the task", id);
    char text[32] = {};
    const ssize_t size = ::pread(fd, text, sizeof text - 1, 0);
    const auto pid = static_cast<pid_t>(size > 0 ? std::strtol(text, nullptr, 10) : 0);
    if (!lives(pid) && system_clock().monotonic_ms() < give_up) {
      ::poll(nullptr, 0, 10);
      continue;
    }
    return Error{ErrorKind::kFailed,
                 "the task " + id + " is being worked on by process " +
                     (pid > 0 ? std::to_string(pid) : std::string("(unknown)")),
                 "wait until it ends, use another TASK-ID, or branch with --fork NEW-ID"};
  }
  const std::string pid = std::to_string(owner) + "\n";
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0) {
    return Error::from_errno(errno, "write the lock of the task", id);
  }
  return opened;
}

Status status_from(const std::string& name) {
  for (const Status status : {Status::kQuestion, Status::kBlocked, Status::kComplete}) {
    if (name == to_string(status)) return status;
  }
  return Status::kRunning;
}

constexpr std::pair<const char*, std::string SessionData::*> kTexts[] = {
    {"task_id", &SessionData::task_id},
    {"root", &SessionData::root},
    {"model", &SessionData::model},
    {"api", &SessionData::api},
    {"description", &SessionData::description},
    {"plan_sha256", &SessionData::plan_sha256},
    {"forked_from", &SessionData::forked_from},
    {"started_call", &SessionData::started_call}};

constexpr std::pair<const char*, std::int64_t Usage::*> kCounts[] = {
    {"input_tokens", &Usage::input},
    {"cached_input_tokens", &Usage::cached},
    {"output_tokens", &Usage::output},
    {"reasoning_output_tokens", &Usage::reasoning}};

json to_json(const SessionData& data) {
  json value = {{"version", kVersion},           {"status", to_string(data.status)},
                {"iterations", data.iterations}, {"usage", to_json(data.usage)},
                {"items", data.items},           {"outcome", data.outcome}};
  for (const auto& [name, text] : kTexts) value[name] = data.*text;
  return value;
}

Result<SessionData> from_json(Result<json> parsed, const std::string& path) {
  const auto damaged = [&](const std::string& why) {
    return Error{ErrorKind::kFailed, "the session " + path + " cannot be read: " + why,
                 "move it away and start the task again, or restore it from a backup", path};
  };
  if (!parsed) return damaged(parsed.error().message);
  json& value = *parsed;
  if (!value.is_object() || !value.contains("items") || !value["items"].is_array()) {
    return damaged("it holds no conversation");
  }
  if (count_of(value, "version") != kVersion) return damaged("another version wrote it");
  for (const json& item : value["items"]) {
    if (!item.is_object()) return damaged("an item of the conversation is not an object");
  }
  SessionData data;
  for (const auto& [name, text] : kTexts) data.*text = text_of(value, name);
  data.status = status_from(text_of(value, "status"));
  data.iterations = static_cast<int>(count_of(value, "iterations"));
  const json& usage = object_of(value, "usage");
  for (const auto& [name, count] : kCounts) data.usage.*count = count_of(usage, name);
  data.items = std::move(value["items"]);
  data.outcome = object_of(value, "outcome");
  return data;
}

/// Returns the name of a file in `state` that the executor did not create; no value if there is
/// none. Each session file of the executor has a lock file beside it.
std::optional<std::string> foreign_name(const Dir& state) {
  std::optional<std::string> foreign;
  (void)state.each(".", [&](const Entry& entry) {
    const auto dot = entry.name.rfind('.');
    const std::string id = entry.name.substr(0, dot);
    const std::string kind = dot == std::string::npos ? "" : entry.name.substr(dot);
    const bool ours = entry.name == ".gitignore" || Dir::is_temporary(entry.name) ||
                      (is_valid_id(id) && state.exists(id + ".lock") &&
                       (kind == ".json" || kind == ".lock" || kind == ".baseline"));
    if (!ours) foreign = entry.name;
    return ours;
  });
  return foreign;
}

}  // namespace

/// Redacts each string in the value. Redacting the formatted JSON instead could break its syntax.
void redact(json& value, const Redactor& redactor) {
  if (value.is_string()) {
    const std::string& text = value.get_ref<const std::string&>();
    std::string kept = redactor.apply(text);
    if (kept != text) value = std::move(kept);
  } else if (value.is_structured()) {
    for (auto& item : value) redact(item, redactor);
  }
}

json to_json(const Usage& usage) {
  json value;
  for (const auto& [name, count] : kCounts) value[name] = usage.*count;
  return value;
}

const char* to_string(Status status) {
  static constexpr const char* kNames[] = {"running", "question", "blocked", "complete"};
  return kNames[static_cast<std::size_t>(status)];
}

Result<std::optional<SessionData>> Session::read(const Dir& state, const std::string& id) {
  const std::string name = file_of(id);
  if (!state.exists(name)) return std::optional<SessionData>();
  auto file = state.read_file(name, kFileCap);
  if (!file) return file.error();
  const std::string path = state.path_of(name);
  auto data = from_json(parse_json(file->bytes, kRecordJsonLimits), path);
  if (!data) return data.error();
  return std::optional<SessionData>(std::move(*data));
}

Result<Session> Session::open(const Dir& state, const std::string& id, const Redactor& redactor,
                              pid_t owner) {
  auto held = lock(state, id, owner);
  if (!held) return held.error();
  auto own = Dir::open(state.path());
  if (!own) return own.error();
  Session session(std::move(*own), std::move(*held), redactor);
  auto data = read(state, id);
  if (!data) return data.error();
  session.existed_ = data->has_value();
  if (data->has_value()) session.data_ = std::move(**data);
  const std::string& task = session.data_.task_id;
  if (session.existed_ && task != id) {
    const std::string path = state.path_of(file_of(id));
    return Error{ErrorKind::kInvalid,
                 "the session " + path + " is that of the task '" + printable(task, 100) + "'",
                 "move it away; --fork NEW-ID begins a task with the conversation of another task",
                 path};
  }
  session.data_.task_id = id;
  return session;
}

Result<void> Session::save(Durable durable) {
  json value = to_json(data_);
  if (!redactor_->empty()) redact(value, *redactor_);
  return state_.write_file(file_of(data_.task_id), json_text(value) + "\n", durable);
}

Result<Dir> open_state_dir(const std::string& path, const Dir& root) {
  const auto refuse = [&](const std::string& why) {
    return Error{ErrorKind::kInvalid, "STATE_DIR is " + path + ": " + why,
                 "name a folder that is new or empty, such as .codex-sessions/tasks", path};
  };
  std::error_code none;
  const bool is_new = !std::filesystem::exists(path, none);
  auto state = Dir::make(path);
  if (!state) return state.error();
  const std::string here = real_path(state->path());
  if (is_beneath(real_path(root.path()), here)) return refuse("the repository lies in it");
  const bool ours = is_new || (here + "/").find("/.codex-sessions/") != std::string::npos;
  if (!ours) {
    if (auto name = foreign_name(*state)) {
      return refuse("'" + printable(*name, 100) + "' in it is not a session");
    }
  }
  if (ours && !state->exists(".gitignore")) {
    if (auto done = state->write_file(".gitignore", "*\n", Durable::kNo); !done) {
      return done.error();
    }
  }
  return state;
}

}  // namespace moonlet::executor
