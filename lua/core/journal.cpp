// core.journal: the journal of the run that is being driven, and looking at those of others.
#include "host/artifact/journal/journal.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "host/artifact/journal/body.h"
#include "host/artifact/run/directory.h"
#include "host/base/json.h"
#include "lua/core/core.h"
#include "lua/core/run.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/run.h"
#include "lua/vm/scheduler.h"
#include "lua/vm/services.h"
#include "lua/vm/state.h"
#include "lua/vm/value.h"

namespace moonlet {

namespace {

constexpr int kMostUnheard = 4;

Journal& check_journal(lua_State* L) {
  Run& run = check_run(L);
  if (!run.journal) luaL_error(L, "the journal is not open");
  return *run.journal;
}

/// Records where a scope ran out of time, so that a replay ends it at the same place.
void record_deadlines(Scheduler& scheduler, Run& run) {
  scheduler.on_deadline = [&run](std::string_view what, const Error& error) {
    if (error.kind == ErrorKind::kBudget || !run.journal) return;
    const nlohmann::json record = {
        {"t", "timeout"},
        {"k", what},
        {"e", {{"kind", to_string(error.kind)}, {"message", error.message}}},
    };
    run.journal->append_relaxed(json_text(record));
  };
}

/// The records as they are read: each is freed once it was given to Lua.
struct RecordList {
  std::vector<std::string> bodies;
  std::size_t bytes = 0;  // the size of bodies that are kept as they are
  std::size_t given = 0;
  Result<nlohmann::json> item = Error{};

  void add(std::string_view body) {
    constexpr std::size_t kMostKept = std::size_t{16} << 20;
    constexpr std::size_t kTiny = 512;
    const bool is_long = body.size() > kShortBody || (bytes > kMostKept && body.size() > kTiny);
    auto rest = is_long ? body_without_values(body) : std::nullopt;
    if (!rest) bytes += body.size();
    bodies.push_back(rest ? std::move(*rest) : std::string(body));
  }
};

int push_unread(lua_State* L, const Error& error) {
  lua_pushnil(L);
  lua_pushlstring(L, error.message.data(), error.message.size());
  return 2;
}

/// -> order, record; or order, nil and what is wrong with it; nothing after the last
int journal_next(lua_State* L) {
  auto& records = *to_box<RecordList>(L, lua_upvalueindex(1));
  if (records.given == records.bodies.size()) return 0;
  records.item = parse_json(records.bodies[records.given], kRecordJsonLimits);
  records.bodies[records.given++] = {};
  lua_pushinteger(L, static_cast<lua_Integer>(records.given));
  if (records.item) {
    push_value(L, *records.item);
    return 2;
  }
  return 1 + push_unread(L, records.item.error());
}

/// open() -> a function that gives the records of the run, in order: order, record; or order, nil
/// and what is wrong with it. One that is `lazy` is without its large `v` and `x`: value() has
/// them. From now on it can be appended to.
int journal_open(lua_State* L) {
  Run& run = check_run(L);
  auto& records = push_box<RecordList>(L);
  auto& opened = push_box<Result<std::unique_ptr<Journal>>>(L, Error{});
  opened = LuaState::host_work(L, [&] {
    return Journal::open(run.dir->dir(), *run.lock, Services::of(L).loop,
                         [&records](const JournalRecord& record) { records.add(record.body); });
  });
  if (!opened) return raise_error(L, opened.error());
  run.journal = std::move(*opened);
  record_deadlines(Scheduler::of(L), run);
  lua_pop(L, 1);
  lua_pushcclosure(L, guard<journal_next>, 1);
  return 1;
}

/// value(order, name) -> what the record has there, read from the file; or nil and what is wrong
int journal_value(lua_State* L) {
  const auto order = static_cast<std::uint64_t>(luaL_checkinteger(L, 1));
  const std::string_view name = check_text(L, 2);
  const Journal& journal = check_journal(L);
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
  item = nlohmann::json();  // the collector may come late
  return 1;
}

/// collect(on): whether garbage is collected. What is read of a journal is kept, all of it: to look
/// for garbage in it is a waste of time.
int journal_collect(lua_State* L) {
  lua_gc(L, lua_toboolean(L, 1) != 0 ? LUA_GCRESTART : LUA_GCSTOP);
  return 0;
}

/// Counts the records that the script has not heard of. Where they are many, ends of further
/// children wait: first those that have ended are seen through, and who comes after them is
/// started.
void count_unheard(Run& run, int more) {
  run.unheard_writes += more;
  if (run.keeper) run.keeper->hold_ends(run.unheard_writes >= kMostUnheard);
}

int push_written(lua_State* L, Operation& operation) {
  if (Run* run = Services::of(L).run.get()) count_unheard(*run, -1);
  const auto& write = static_cast<JournalWrite&>(operation);
  if (!write.result().ok()) return raise_error(L, write.result().error());
  return 0;
}

/// append(body, durable): waits until the record is on the disk. One that need not be durable waits
/// only until the script has heard of those before it: it hears of things in the order of the
/// journal. Before a durable one the large values of those before it are on the disk.
int journal_append(lua_State* L) {
  const std::string_view body = check_text(L, 1);
  const bool durable = lua_toboolean(L, 2) != 0;
  Journal& journal = check_journal(L);
  Run& run = check_run(L);
  Scheduler& scheduler = Scheduler::of(L);
  if (!durable && run.unheard_writes == 0) {
    auto& write = push_box<std::shared_ptr<JournalWrite>>(L);
    write = journal.append_relaxed(Services::of(L).redactor.apply(body));
    return write->result().ok() ? 0 : raise_error(L, write->result().error());
  }
  if (durable && !run.unsynced_values.empty()) {
    auto& synced = push_box<Result<void>>(L);
    synced = LuaState::host_work(L, [&] { return run.sync_values(); });
    if (!synced) return raise_error(L, synced.error());
  }
  Pending& pending = scheduler.prepare(L, push_written, true);  // may raise: nothing is owned yet
  pending.operation = journal.append(Services::of(L).redactor.apply(body));
  count_unheard(run, 1);
  return scheduler.await(L);
}

/// note(body): a record that reaches the disk with the next durable one; never waits. A failed
/// write is reported by the next record, or by the start of the next child.
int journal_note(lua_State* L) {
  const std::string_view body = check_text(L, 1);
  check_journal(L).append_relaxed(Services::of(L).redactor.apply(body));
  return 0;
}

/// verify(home, run) -> { records, fenced, torn_bytes, line?, why? }, or nil and an error
int journal_verify(lua_State* L) {
  Home& home = check_home(L, 1);
  const std::string_view id = check_text(L, 2);
  auto& report = push_box<Result<JournalReport>>(L, Error{});
  {
    auto run = open_run(home, id);
    report = run.ok() ? verify_journal(run->dir()) : Result<JournalReport>(run.error());
  }
  if (!report) {
    lua_pushnil(L);
    push_error(L, report.error());
    return 2;
  }
  lua_createtable(L, 0, 5);
  const auto set = [L](const char* key, std::uint64_t value) {
    lua_pushinteger(L, static_cast<lua_Integer>(value));
    lua_setfield(L, -2, key);
  };
  set("records", report->records);
  set("fenced", report->fenced);
  set("torn_bytes", report->torn_bytes);
  if (report->damage) {
    set("line", report->damage->line);
    lua_pushlstring(L, report->damage->why.data(), report->damage->why.size());
    lua_setfield(L, -2, "why");
  }
  return 1;
}

constexpr luaL_Reg kFunctions[] = {
    {"open", guard<journal_open>},
    {"collect", guard<journal_collect>},
    {"value", guard<journal_value>},
    {"append", guard<journal_append>},
    {"note", guard<journal_note>},
    {"verify", guard<journal_verify>},
    {nullptr, nullptr},
};

}  // namespace

int luaopen_core_journal(lua_State* L) {
  luaL_newlib(L, kFunctions);
  return 1;
}

}  // namespace moonlet
