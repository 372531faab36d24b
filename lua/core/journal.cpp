// core.journal writes and reads the journal of the current run, and verifies journals of other
// runs.
#include "host/artifact/journal/journal.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "host/artifact/journal/body.h"
#include "host/base/json.h"
#include "host/driver/run_driver.h"
#include "lua/core/core.h"
#include "lua/core/run.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/scheduler.h"
#include "lua/vm/services.h"
#include "lua/vm/state.h"
#include "lua/vm/value.h"

namespace moonlet {

namespace {

/// Returns the run. Raises an error if its journal is not open.
RunDriver& check_journal(lua_State* L) {
  RunDriver& run = check_run(L);
  if (run.journal() == nullptr) luaL_error(L, "the journal is not open");
  return run;
}

/// Names is the argument of open(), converted to C++ values.
struct Names {
  std::vector<std::string> large;  // large members that are read from the file on demand
  nlohmann::json late;             // record to append when a scope times out
  std::string late_key, late_error;
};

/// Records when a scope times out, so that a replay ends the scope at the same point.
void record_deadlines(Scheduler& scheduler, RunDriver& run, const Names& names) {
  scheduler.on_deadline = [&run, names](std::string_view what, const Error& error) {
    if (error.kind == ErrorKind::kBudget || run.journal() == nullptr) return;
    nlohmann::json record = names.late;
    record[names.late_key] = what;
    record[names.late_error] = {{"kind", to_string(error.kind)}, {"message", error.message}};
    run.append_relaxed(json_text(record));
  };
}

Names names_at(lua_State* L, int index) {
  auto& given = push_box<nlohmann::json>(L);
  read_value(L, index, given);
  const auto& deadline = given.at("deadline");
  Names names{given.at("large").get<std::vector<std::string>>(), deadline.at("record"),
              deadline.at("key").get<std::string>(), deadline.at("error").get<std::string>()};
  lua_pop(L, 1);
  return names;
}

/// RecordList passes the records of a journal to Lua and frees each one afterwards.
struct RecordList {
  struct Item {
    std::string body;
    bool is_lazy;  // true if the large members were removed from `body`
  };
  Names names;
  std::vector<Item> items;
  std::size_t bytes = 0;  // total size of the bodies that are not lazy
  std::size_t given = 0;
  Result<nlohmann::json> item = Error{};

  void add(std::string_view body) {
    constexpr std::size_t kMostKept = std::size_t{16} << 20;
    constexpr std::size_t kTiny = 512;
    const bool is_long = body.size() > kShortBody || (bytes > kMostKept && body.size() > kTiny);
    auto rest = is_long ? body_without_large(body, names.large) : std::nullopt;
    if (!rest) bytes += body.size();
    const bool is_lazy = rest.has_value();
    items.push_back({is_lazy ? std::move(*rest) : std::string(body), is_lazy});
  }
};

int push_unread(lua_State* L, const Error& error) {
  lua_pushnil(L);
  lua_pushlstring(L, error.message.data(), error.message.size());
  return 2;
}

/// next() returns order, record, nil, lazy for the next record; see open(). For a damaged record,
/// returns order, nil and the reason. At the end, returns no value.
int journal_next(lua_State* L) {
  auto& records = *to_box<RecordList>(L, lua_upvalueindex(1));
  if (records.given == records.items.size()) return 0;
  const bool is_lazy = records.items[records.given].is_lazy;
  records.item = parse_json(records.items[records.given].body, kRecordJsonLimits);
  records.items[records.given++].body = {};
  lua_pushinteger(L, static_cast<lua_Integer>(records.given));
  if (records.item) {
    push_value(L, *records.item);
    lua_pushnil(L);
    lua_pushboolean(L, is_lazy ? 1 : 0);
    return 4;
  }
  return 1 + push_unread(L, records.item.error());
}

/// open{ large, deadline = { record, key, error } } opens the run's journal and returns an iterator
/// over its records.
/// For each record, the iterator returns order, record, nil, lazy. `order` is the record's number.
/// If `lazy` is true, the members of the record whose names are in the list `large` are missing;
/// value() reads them.
/// For a damaged record, it returns order, nil and the reason.
/// When a scope times out, `deadline.record` is appended to the journal, with the scope's name in
/// the field `key` and the error in the field `error`.
/// append() and note() need an open journal.
int journal_open(lua_State* L) {
  RunDriver& run = check_run(L);
  auto& records = push_box<RecordList>(L);
  records.names = names_at(L, 1);
  auto& opened = push_box<Result<void>>(L);
  opened = LuaState::host_work(L, [&] {
    return run.open_journal([&records](const JournalRecord& record) { records.add(record.body); });
  });
  if (!opened) return raise_error(L, opened.error());
  record_deadlines(Scheduler::of(L), run, records.names);
  lua_pop(L, 1);
  lua_pushcclosure(L, guard<journal_next>, 1);
  return 1;
}

/// value(order, name) reads a member of a record from the file.
/// Returns the value, or nil and why the record is damaged.
int journal_value(lua_State* L) {
  const auto order = static_cast<std::uint64_t>(luaL_checkinteger(L, 1));
  const std::string_view name = check_text(L, 2);
  const Journal& journal = *check_journal(L).journal();
  auto& body = push_box<Result<std::string>>(L, Error{});
  body = journal.body(order);
  if (!body) return raise_error(L, body.error());
  auto& item = push_box<Result<nlohmann::json>>(L, Error{});
  item = parse_json(*body, kRecordJsonLimits);
  body = std::string();
  if (!item) return push_unread(L, item.error());
  const auto found = item->find(name);
  if (found == item->end()) return 0;
  push_value(L, *found);
  item = nlohmann::json();  // do not wait until the garbage collector frees the memory
  return 1;
}

/// collect(on): switches the garbage collector on or off. A resume keeps all records in memory, so
/// collecting garbage meanwhile would waste time.
int journal_collect(lua_State* L) {
  lua_gc(L, lua_toboolean(L, 1) != 0 ? LUA_GCRESTART : LUA_GCSTOP);
  return 0;
}

int push_written(lua_State* L, Operation& operation) {
  if (RunDriver* run = Services::of(L).run.get()) run->count_unheard(-1);
  const auto& write = static_cast<JournalWrite&>(operation);
  if (!write.result().ok()) return raise_error(L, write.result().error());
  return 0;
}

/// append(body, durable): appends a record.
/// A durable record is on the disk when append() returns, and so are all large values of earlier
/// records. Any other record is only queued. But if a task still waits for a durable record, the
/// new record is written like a durable one.
int journal_append(lua_State* L) {
  const std::string_view body = check_text(L, 1);
  const bool durable = lua_toboolean(L, 2) != 0;
  RunDriver& run = check_journal(L);
  Scheduler& scheduler = Scheduler::of(L);
  if (!durable && run.unheard() == 0) {
    auto& write = push_box<std::shared_ptr<JournalWrite>>(L);
    write = run.append_relaxed(Services::of(L).redactor.apply(body));
    return write->result().ok() ? 0 : raise_error(L, write->result().error());
  }
  if (durable && run.has_unsynced_values()) {
    auto& synced = push_box<Result<void>>(L);
    synced = LuaState::host_work(L, [&] { return run.sync_values(); });
    if (!synced) return raise_error(L, synced.error());
  }
  auto& write = push_box<Result<std::shared_ptr<JournalWrite>>>(L, Error{});
  Pending& pending = scheduler.prepare(L, push_written, true);  // may raise an error
  write = run.append(Services::of(L).redactor.apply(body));
  if (!write) return raise_error(L, write.error());
  pending.operation = std::move(*write);
  run.count_unheard(1);
  return scheduler.await(L);
}

/// note(body): appends a record without waiting. It reaches the disk with the next durable record.
/// If the write fails, the next record or the start of the next child reports the error.
int journal_note(lua_State* L) {
  const std::string_view body = check_text(L, 1);
  check_journal(L).append_relaxed(Services::of(L).redactor.apply(body));
  return 0;
}

/// verify(home, run) checks the journal of a run.
/// Returns { records, fenced, torn_bytes, line?, why? }, or nil and an error. `fenced` is the
/// number of lines that do not count, because their writer had lost the run's lock. `torn_bytes` is
/// the size of an incomplete last line. `line` and `why` describe the first damaged line.
Result<nlohmann::json> journal_verify(Home& home, std::string_view id) {
  auto run = RunRegistry(home).open(id);
  if (!run) return run.error();
  const auto report = verify_journal(run->dir());
  if (!report) return report.error();
  nlohmann::json facts = {
      {"records", report->records}, {"fenced", report->fenced}, {"torn_bytes", report->torn_bytes}};
  if (report->damage) {
    facts["line"] = report->damage->line;
    facts["why"] = report->damage->why;
  }
  return facts;
}

}  // namespace

const luaL_Reg kCoreJournal[] = {
    {"open", guard<journal_open>},
    {"collect", guard<journal_collect>},
    {"value", guard<journal_value>},
    {"append", guard<journal_append>},
    {"note", guard<journal_note>},
    {"verify", returning<journal_verify>},
    {nullptr, nullptr},
};

}  // namespace moonlet
