// core.event passes a run's events to the user or a program, and to events.jsonl.

#include "host/telemetry/event.h"
#include "host/base/json.h"
#include "host/base/text.h"
#include "host/driver/run_driver.h"
#include "host/telemetry/sink.h"
#include "lua/core/core.h"
#include "lua/vm/bind.h"

namespace moonlet {

namespace {

/// Returns true for events that are also printed when there is no terminal: output of scripts, and
/// warnings that the final report does not repeat.
bool is_told_to_pipes(const Event& event) {
  const bool is_said = event.type == EventType::kLog || event.type == EventType::kWarning;
  return is_said && !event.fields.contains("reported");
}

/// Prints log lines of scripts and warnings. Returns false for other events.
bool print_message(Services& services, const Event& event) {
  if (event.type != EventType::kLog && event.type != EventType::kWarning) return false;
  const auto text = event.fields.find("text");
  if (!services.print || text == event.fields.end() || !text->is_string()) return true;
  const std::string line = strip_controls(text->get<std::string>()) + "\n";
  if (event.type == EventType::kLog) {
    services.print(1, line);
  } else {
    services.print(2, "warning: " + line);
  }
  return true;
}

/// display(mode): selects how events are printed.
/// "live": a live view if there is a terminal, otherwise output of scripts and warnings
/// "watch": like "live", for a run that another process drives
/// "plain": a line for each event
/// "events": JSON lines
/// "messages": log lines of scripts, and warnings
/// "prompt": like "messages", above a live view if there is a terminal
/// "none": nothing
void event_display(Services& services, std::string_view mode) {
  const auto print = [&services](const Event& event) { return print_message(services, event); };
  if (mode == "prompt" && services.show_live(print)) return;
  if ((mode == "live" || mode == "watch") && services.show_live(nullptr, mode == "watch")) return;
  if (mode == "events") {
    services.show([&services](const Event& event) {
      if (services.print) services.print(1, json_text(to_json(event)) + "\n");
    });
  } else if (mode == "messages" || mode == "prompt") {
    services.show(print);
  } else if (mode == "plain" || mode == "live" || mode == "watch") {
    services.show([&services, all = mode == "plain"](const Event& event) {
      if (!all && !is_told_to_pipes(event)) return;
      const std::string line = to_line(event);
      if (services.print && !line.empty()) services.print(2, line + "\n");
    });
  } else {
    services.show(nullptr);
  }
}

/// Builds an event from the arguments type, ms since 1970, run, step or nil, and data.
/// Returns nullptr if the type is unknown.
Event* read_recorded(lua_State* L) {
  const auto type = event_type(luaL_checkstring(L, 1));
  if (!type) return nullptr;
  const lua_Integer wall_ms = luaL_checkinteger(L, 2);
  std::size_t run_size = 0;
  std::size_t step_size = 0;
  const char* run = luaL_checklstring(L, 3, &run_size);
  const char* step = luaL_optlstring(L, 4, "", &step_size);
  luaL_checktype(L, 5, LUA_TTABLE);
  Event& event = push_box<Event>(L);
  event.type = *type;
  event.wall_ms = wall_ms;
  event.run.assign(run, run_size);
  event.step.assign(step, step_size);
  read_value(L, 5, event.fields);
  return &event;
}

/// line(type, ms, run, step or nil, data) returns a recorded event as a text line, "" for types
/// without one
int event_line(lua_State* L) {
  const Event* event = read_recorded(L);
  auto& line = push_box<std::string>(L);
  if (event != nullptr) line = to_line(*event);
  lua_pushlstring(L, line.data(), line.size());
  return 1;
}

/// replay(type, ms, run, step or nil, data): prints a recorded event in the mode set by display()
int event_replay(lua_State* L) {
  const Event* event = read_recorded(L);
  if (event != nullptr) Services::of(L).bus->emit(*event);
  return 0;
}

/// kinds() returns kinds.json as a table
nlohmann::json event_kinds() { return nlohmann::json::parse(kEventKindsJson); }

/// start(file): appends the run's events to `file` below `.agent`. The numbers of the events
/// continue from the last event in the file.
Result<void> event_start(RunDriver& run, Services& services, std::string_view path) {
  return run.open_events(path, *services.bus);
}

/// Emits the lines that a script logged before its run had an id.
void tell_early(Services& services) {
  for (Event& event : std::exchange(services.early, {})) {
    event.run = services.run->id();
    services.bus->emit(event);
  }
}

/// emit(type, step or nil, fields): emits an event of the run
int event_emit(lua_State* L) {
  const char* name = luaL_checkstring(L, 1);
  const auto type = event_type(name);
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
  if (services.run) event.run = services.run->id();
  if (services.run) services.run->check_events();
  services.bus->emit(event);
  if (*type == EventType::kRunStarted || *type == EventType::kRunResumed) tell_early(services);
  return 0;
}

}  // namespace

const luaL_Reg kCoreEvent[] = {
    {"display", raising<event_display>},
    {"start", raising<event_start>},
    {"kinds", raising<event_kinds>},
    {"line", guard<event_line>},
    {"replay", guard<event_replay>},
    {"emit", guard<event_emit>},
    {nullptr, nullptr},
};

}  // namespace moonlet
