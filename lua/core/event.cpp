// core.event: the events of a run. The person or program that follows it receives them, and
// events.jsonl keeps them.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/base/json.h"
#include "host/telemetry/event.h"
#include "host/telemetry/sink.h"
#include "lua/core/core.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/run.h"
#include "lua/vm/services.h"
#include "lua/vm/value.h"

namespace moonlet {

namespace {

std::optional<EventType> type_from(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(EventType::kWarning); ++i) {
    if (to_string(static_cast<EventType>(i)) == name) return static_cast<EventType>(i);
  }
  return std::nullopt;
}

/// display(mode): "live" view for a person at a terminal, where there is one; "plain" lines;
/// "events" as JSON lines in the result stream; "none"
int event_display(lua_State* L) {
  const std::string_view mode = luaL_checkstring(L, 1);
  Services& services = Services::of(L);
  if (mode == "events") {
    services.show([&services](const Event& event) {
      if (services.print) services.print(1, json_text(to_json(event)) + "\n");
    });
  } else if (mode == "live" && services.show_live()) {
    return 0;
  } else if (mode == "plain" || mode == "live") {
    services.show([&services](const Event& event) {
      const std::string line = to_line(event);
      if (services.print && !line.empty()) services.print(2, line + "\n");
    });
  } else {
    services.show(nullptr);
  }
  return 0;
}

/// start(file): from now on events belong to the run and are kept in the file beneath `.agent`
int event_start(lua_State* L) {
  std::size_t size = 0;
  const char* path = luaL_checklstring(L, 1, &size);
  Run& run = check_run(L);
  auto& failure = push_box<std::optional<Error>>(L);
  if (auto opened = run.agent->open_append({path, size}); opened.ok()) {
    run.events_file = std::move(*opened);
    run.events = std::make_unique<JsonlSink>(run.events_file.get(), "events.jsonl");
    Services::of(L).bus->add(*run.events);
  } else {
    failure = opened.error();
  }
  if (failure) return raise_error(L, *failure);
  return 0;
}

/// A script runs until it asks for `ctx` before there is a run whose log could have its lines.
void tell_early(Services& services) {
  for (Event& event : std::exchange(services.early, {})) {
    event.run = services.run->dir->id();
    services.bus->emit(event);
  }
}

/// emit(type, step or nil, fields)
int event_emit(lua_State* L) {
  const char* name = luaL_checkstring(L, 1);
  const auto type = type_from(name);
  if (!type) return luaL_error(L, "no event type '%s'", name);
  std::size_t size = 0;
  const char* step = luaL_optlstring(L, 2, "", &size);
  luaL_checktype(L, 3, LUA_TTABLE);
  if (*type == EventType::kLog || *type == EventType::kPhase) {
    const char* key = *type == EventType::kLog ? "text" : "name";
    const bool text = lua_getfield(L, 3, key) == LUA_TSTRING;
    count_output(L, text ? lua_rawlen(L, -1) : 0);
    lua_pop(L, 1);
  }
  Event& event = push_box<Event>(L);
  event.type = *type;
  event.step.assign(step, size);
  read_value(L, 3, event.fields);
  Services& services = Services::of(L);
  if (services.run) event.run = services.run->dir->id();
  if (services.run && services.run->events && !services.run->still_ours()) {
    services.bus->remove(*services.run->events);
    services.run->events.reset();
  }
  services.bus->emit(event);
  if (*type == EventType::kRunStarted || *type == EventType::kRunResumed) tell_early(services);
  return 0;
}

constexpr luaL_Reg kFunctions[] = {
    {"display", guard<event_display>},
    {"start", guard<event_start>},
    {"emit", guard<event_emit>},
    {nullptr, nullptr},
};

}  // namespace

int luaopen_core_event(lua_State* L) {
  luaL_newlib(L, kFunctions);
  return 1;
}

}  // namespace moonlet
