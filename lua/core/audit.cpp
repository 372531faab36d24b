// core.audit: what a run has on record, held against what is on the disk. It reads runs that others
// made, as they are; only record() writes, to the journal of a run that nobody drives.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "host/artifact/file/dir_open.h"
#include "host/artifact/file/tree_digest.h"
#include "host/artifact/journal/journal.h"
#include "host/artifact/run/directory.h"
#include "host/base/digest.h"
#include "host/base/json.h"
#include "host/process/child/tree.h"
#include "host/process/wire/keeper_log.h"
#include "lua/core/core.h"
#include "lua/core/file.h"
#include "lua/core/run.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/services.h"
#include "lua/vm/state.h"
#include "lua/vm/work.h"

namespace moonlet {

namespace {

using nlohmann::json;

std::string text_in(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// Reads a journal and keeps what other files can be held against.
class Story {
 public:
  void take(const JournalRecord& record) {
    auto body = parse_json(record.body, kRecordJsonLimits);
    if (!body.ok() || !body->is_object()) return;
    const std::string type = text_in(*body, "t");
    if (type == "drive" || type == "over" || type == "decision") {
      (*body)["n"] = record.n;
      marks_.push_back(std::move(*body));
      return;
    }
    if (type == "begin") {
      const auto number = body->find("a");
      const int attempt =
          number != body->end() && number->is_number_integer() ? number->get<int>() : 0;
      const std::string key = text_in(*body, "k");
      begun_[key] = attempt;
      answers_.erase(key);  // from now on the file may be of this attempt
      // One that was begun twice is played only where both say so.
      const bool played = text_in(*body, "runner") == kCassette;
      const auto [known, is_new] = attempts_.emplace(as_logged(key, attempt), played);
      if (!is_new) known->second = known->second && played;
    }
    if (type == "end" && text_in(*body, "s") == "ok") finish(text_in(*body, "k"), *body);
    if (type == "end" && text_in(*body, "verb") == "agent") answer(text_in(*body, "k"), *body);
    keyed_ = keyed_ || body->contains("raw") || text_in(*body, "whole").rfind("keyed:", 0) == 0;
    for (const json& value : *body) {
      if (!value.is_object()) continue;
      if (const auto name = text_in(value, "$value"); !name.empty()) values_.insert(name);
    }
  }

  /// A large value that another file than the journal names.
  void expect_value(const std::string& name) { values_.insert(name); }

  json marks() { return std::move(marks_); }

  /// Whether a hash is on record that is keyed.
  bool keyed() const { return keyed_; }

  /// What agents have answered: { key, sha256 }, or { key, v } where the answer is no plain text.
  json answers() const {
    json list = json::array();
    for (const auto& [key, answer] : answers_) {
      list.push_back({{"key", key}, {answer.is_string() ? "sha256" : "v", answer}});
    }
    return list;
  }

  /// Where the keeper's log and the journal do not fit together: `untold` are attempts of finished
  /// steps that left no trace in the log, `unbegun` the attempts in it that nobody had begun.
  /// A cassette starts no process: `played` are the untold ones that say they are of one, `acted`
  /// those that say so and were started all the same.
  json differences(int run_dir_fd) const {
    auto keepers = read_keeper_log(run_dir_fd);
    if (!keepers) keepers = std::vector<LoggedKeeper>{};  // one that cannot be read tells nothing
    std::set<Attempt> told, not_started;
    json unbegun = json::array(), acted = json::array();
    const std::string boot = boot_id();
    for (const LoggedKeeper& keeper : *keepers) {
      for (const auto& [number, child] : keeper.children) {
        const Attempt attempt{child.step, child.attempt};
        if (!keeper.may_have_started(child, boot)) {
          not_started.insert(attempt);
          continue;
        }
        // Only attempts that are paid for, or done once, are begun; they have numbers.
        const bool numbered = child.attempt.find('@') != std::string::npos;
        if (!told.insert(attempt).second || !numbered) continue;
        const auto begun = attempts_.find(attempt);
        if (begun == attempts_.end()) {
          unbegun.push_back(child.attempt);
        } else if (begun->second) {
          acted.push_back(child.attempt);
        }
      }
    }
    json untold = json::array(), played = json::array();
    for (const auto& [key, end] : finished_) {
      const Attempt attempt = as_logged(key, end.attempt);
      if (told.count(attempt) != 0) continue;
      // A command that is not there fails its validation, which is a result too.
      if (end.no_success && not_started.count(attempt) != 0) continue;
      (attempts_.at(attempt) ? played : untold).push_back({{"key", key}, {"attempt", end.attempt}});
    }
    return {{"untold", untold}, {"unbegun", unbegun}, {"played", played}, {"acted", acted}};
  }

  /// The files of large values: which are missing, which are not what their name says, and how many
  /// nobody refers to.
  json values(const Dir& run_dir, const std::atomic<bool>* stop) const {
    json missing = json::array(), damaged = json::array();
    std::set<std::string> found;
    std::uint64_t extra = 0;
    if (auto dir = run_dir.dir("values")) {
      TreeOptions all;
      all.most = SIZE_MAX;
      all.largest = all.most_bytes = UINT64_MAX;  // the host wrote them
      all.stop = stop;
      if (auto digest = digest_tree(*dir, all)) {
        for (const TreeEntry& entry : digest->entries) {
          if (values_.count(entry.path) == 0) {
            ++extra;
            continue;
          }
          found.insert(entry.path);
          if (entry.sha256 != entry.path) damaged.push_back(entry.path);
        }
      }
    }
    for (const std::string& name : values_) {
      if (found.count(name) == 0) missing.push_back(name);
    }
    return {{"missing", missing}, {"damaged", damaged}, {"extra", extra}};
  }

 private:
  using Attempt = std::pair<std::string, std::string>;  // the step and the attempt, as logged

  struct End {
    int attempt;
    bool no_success;  // a later host does the step again
  };

  static constexpr const char* kCassette = "cassette";

  static Attempt as_logged(const std::string& key, int number) {
    return {logged_name(key), logged_name(key + "@" + std::to_string(number))};
  }

  void finish(const std::string& key, const json& end) {
    const auto begun = begun_.find(key);
    if (begun == begun_.end()) return;
    finished_[key] = {begun->second, end.value("again", json()) == true};
  }

  void answer(const std::string& key, const json& end) {
    answers_.erase(key);
    const auto value = end.find("v");
    if (text_in(end, "s") != "ok" || value == end.end() || !value->is_object()) return;
    if (const auto text = value->find("text"); text == value->end()) {
      answers_[key] = *value;  // a file of its own
    } else if (text->is_string()) {
      answers_[key] = sha256_hex(text->get_ref<const std::string&>());
    } else {
      answers_[key] = {{"text", *text}};
    }
  }

  json marks_ = json::array();
  bool keyed_ = false;
  std::map<std::string, json> answers_;  // of the steps whose last record is that
  std::map<std::string, int> begun_;
  std::map<std::string, End> finished_;
  std::map<Attempt, bool> attempts_;  // that were begun; whether a cassette played them
  std::set<std::string> values_;
};

Result<json> read_story(Home& home, std::string_view id, std::string_view value,
                        const std::atomic<bool>* stop) {
  auto run = open_run(home, id);
  if (!run) return run.error();
  Story story;
  if (!value.empty()) story.expect_value(std::string(value));
  auto report = read_journal(run->dir(), [&](const JournalRecord& record) { story.take(record); });
  if (!report) return report.error();
  json result = {
      {"records", report->records},
      {"fenced", report->fenced},
      {"torn_bytes", report->torn_bytes},
      {"marks", story.marks()},
      {"values", story.values(run->dir(), stop)},
      {"answers", story.answers()},
      {"keyed", story.keyed()},
  };
  result.update(story.differences(run->dir().fd()));
  if (report->damage) {
    result["line"] = report->damage->line;
    result["why"] = report->damage->why;
  }
  return result;
}

/// story(home, run, value?) -> { records, fenced, torn_bytes, line?, why?, marks, values, answers,
/// keyed, untold, unbegun, played, acted }: what the journal says, checked against the files beside
/// it; `value` is the name of a large value that run.json has
int audit_story(lua_State* L) {
  lua_settop(L, 3);
  Home& home = check_home(L, 1);
  const std::string_view id = check_text(L, 2);
  const std::string_view value = lua_isnil(L, 3) ? std::string_view() : check_text(L, 3);
  auto& stop = push_box<std::atomic<bool>>(L, false);
  push_work(L) = [&home, id, value, &stop] { return read_story(home, id, value, &stop); };
  return await_work(L, &stop);
}

json to_json(const TreeEntry& entry) {
  json value = {{"bytes", entry.bytes}};
  if (!entry.sha256.empty()) value["sha256"] = entry.sha256;
  if (entry.unhashed) value["unhashed"] = true;
  if (!entry.error.empty()) value["error"] = entry.error;
  if (entry.kind == TreeEntry::Kind::kLink) value["link"] = true;
  if (entry.kind == TreeEntry::Kind::kSpecial) value["special"] = true;
  if (entry.kind == TreeEntry::Kind::kFolder) value["files"] = entry.files;
  return value;
}

Result<json> tree(const Dir& root, std::string_view path, const TreeOptions& options) {
  auto dir = root.dir(path);
  if (!dir) return dir.error();
  auto digest = digest_tree(*dir, options);
  if (!digest) return digest.error();
  json files = json::object();
  for (const TreeEntry& entry : digest->entries) files[entry.path] = to_json(entry);
  json result = {{"files", std::move(files)}};
  if (digest->fold >= 0) result["fold"] = digest->fold;
  return result;
}

/// tree(dir, path, {name, …}, fold?) -> { files = { path -> { sha256, bytes, … } }, fold? }: every
/// file beneath a folder by hash, but those that are named; large ones by their size
int audit_tree(lua_State* L) {
  const Dir& root = check_dir(L, 1);
  const std::string_view path = check_text(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  auto& options = push_box<TreeOptions>(L);
  options.fold = static_cast<int>(luaL_optinteger(L, 4, -1));
  const auto count = static_cast<lua_Integer>(lua_rawlen(L, 3));
  for (lua_Integer i = 1; i <= count; ++i) {
    lua_rawgeti(L, 3, i);
    options.skip.emplace_back(check_text(L, -1));
    lua_pop(L, 1);
  }
  auto& stop = push_box<std::atomic<bool>>(L, false);
  options.stop = &stop;
  push_work(L) = [&root, path, &options] { return tree(root, path, options); };
  return await_work(L, &stop);
}

/// { bytes, sha256 } of the beginning of a file: all of it, or so many bytes of it; `durable`: on
/// the disk before it is told.
Result<json> beginning(const Dir& root, std::string_view path, std::optional<std::uint64_t> bytes,
                       bool durable) {
  auto file = root.open_read(path);
  if (!file) return file.error();
  Sha256 hash;
  std::uint64_t done = 0;
  std::vector<char> buffer(256 * 1024);
  while (!bytes || done < *bytes) {
    const std::uint64_t room = bytes ? *bytes - done : buffer.size();
    const ssize_t got =
        ::read(file->get(), buffer.data(), std::min<std::uint64_t>(room, buffer.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error::from_errno(errno, "cannot read", std::string(path));
    if (got == 0) break;
    hash.update({buffer.data(), static_cast<std::size_t>(got)});
    done += static_cast<std::uint64_t>(got);
  }
  if (durable && sync_bytes(file->get()) != 0) {
    return Error::from_errno(errno, "cannot bring to the disk", std::string(path));
  }
  return json{{"bytes", done}, {"sha256", hash.hex()}};
}

/// beginning(dir, path, bytes?, durable?) -> { bytes, sha256 }: of all of a file, or of its first
/// bytes; with `durable` they are on the disk
int audit_beginning(lua_State* L) {
  lua_settop(L, 4);
  const Dir& root = check_dir(L, 1);
  const std::string_view path = check_text(L, 2);
  auto& bytes = push_box<std::optional<std::uint64_t>>(L);
  if (!lua_isnoneornil(L, 3)) bytes = static_cast<std::uint64_t>(luaL_checkinteger(L, 3));
  const bool durable = lua_toboolean(L, 4) != 0;
  push_work(L) = [&root, path, &bytes, durable] { return beginning(root, path, bytes, durable); };
  return await_work(L);
}

/// What is put on the record of a run that nobody drives.
struct Change {
  std::string id, body;
  std::string_view was;         ///< the hash of run.json that it rests on; empty: any
  std::string_view path, text;  ///< the file of `.agent` that goes with it; no path: none
};

struct Changed {
  bool done = false;  ///< false: somebody drives the run, or has written its run.json since
  std::optional<Error> unrecorded;  ///< the journal does not have it; or why it was not done
};

constexpr std::size_t kRecordCap = 64u << 20;

Result<void> append_record(Loop& loop, const RunDir& run, const RunLock& lock, std::string body) {
  auto journal = Journal::open(run.dir(), lock, loop);
  if (!journal) return journal.error();
  const auto write = (*journal)->append(std::move(body));
  if (auto flushed = (*journal)->flush_blocking(); !flushed) return flushed;
  return write->result();
}

/// All of it under one lock: nobody begins to drive between the look, the record and the file.
Result<Changed> change(Loop& loop, Home& home, Change change) {
  auto run = open_run(home, change.id);
  if (!run) return run.error();
  const auto lock = lock_in_passing(*run);
  if (!lock && RunLock::holder(run->dir()) == 0) return lock.error();
  if (!lock) return Changed{false, lock.error()};
  if (!change.was.empty()) {
    const auto record = run->dir().read_file("run.json", kRecordCap);
    if (!record) return record.error();
    if (sha256_hex(record->bytes) != change.was) return Changed{};
  }
  Changed changed{true, {}};
  if (auto noted = append_record(loop, *run, *lock, std::move(change.body)); !noted) {
    // A journal that is damaged must keep nobody from a decision, or from ending the run. One that
    // cannot be written now does: what it does not know would pass for a forgery.
    const ErrorKind kind = noted.error().kind;
    const bool damaged = kind == ErrorKind::kInvalid || kind == ErrorKind::kLimit;
    if (change.path.empty() || !damaged) return noted.error();
    changed.unrecorded = noted.error();
  }
  if (change.path.empty()) return changed;
  const Dir& agent = **home.existing();
  // A process may be stopped for long before it puts the file in its place.
  const auto still_ours = [&lock] { return lock->check(); };
  auto written = agent.write_file(change.path, change.text, Durable::kYes, still_ours);
  if (!written) return written.error();
  return changed;
}

/// record(home, run, body, was?, path?, text?) -> true, or false where somebody drives the run or
/// its run.json is not any more what `was` is the hash of, or nil; and an error. Puts something on
/// the record of a run that nobody drives, and writes the file of it, which is on the disk then.
/// An error beside true: the journal is damaged, and does not have it.
int audit_record(lua_State* L) {
  lua_settop(L, 6);
  Home& home = check_home(L, 1);
  const auto optional = [L](int index) {
    return lua_isnil(L, index) ? std::string_view{} : check_text(L, index);
  };
  auto& wanted = push_box<Change>(L);
  Services& services = Services::of(L);
  wanted.id = check_text(L, 2);
  wanted.body = services.redactor.apply(check_text(L, 3));
  wanted.was = optional(4), wanted.path = optional(5), wanted.text = optional(6);
  auto& changed = push_box<Result<Changed>>(L, Error{});
  changed = LuaState::host_work(L, [&] { return change(services.loop, home, std::move(wanted)); });
  if (!changed) {
    lua_pushnil(L);
    push_error(L, changed.error());
    return 2;
  }
  lua_pushboolean(L, changed->done);
  if (!changed->unrecorded) return 1;
  push_error(L, *changed->unrecorded);
  return 2;
}

constexpr luaL_Reg kFunctions[] = {
    {"story", guard<audit_story>},
    {"tree", guard<audit_tree>},
    {"beginning", guard<audit_beginning>},
    {"record", guard<audit_record>},
    {nullptr, nullptr},
};

}  // namespace

int luaopen_core_audit(lua_State* L) {
  luaL_newlib(L, kFunctions);
  return 1;
}

}  // namespace moonlet
