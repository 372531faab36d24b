# Generates two headers from kinds.json when CMake configures the build. host/telemetry/event_types.h has the public
# enum of event kinds. host/telemetry/kinds.h has their names and the text of kinds.json.
set(kinds_file ${CMAKE_CURRENT_SOURCE_DIR}/host/telemetry/kinds.json)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${kinds_file})
file(READ ${kinds_file} kinds_json)
string(JSON kind_count LENGTH "${kinds_json}" kinds)
math(EXPR last_kind "${kind_count} - 1")
set(kind_names "")
set(kind_rows "")
foreach(i RANGE ${last_kind})
  string(JSON kind_name GET "${kinds_json}" kinds ${i} name)
  string(JSON kind_line ERROR_VARIABLE kind_has_line GET "${kinds_json}" kinds ${i} line)
  string(JSON kind_hidden ERROR_VARIABLE kind_shows_all GET "${kinds_json}" kinds ${i} not_in_line)
  if(kind_shows_all)
    set(kind_hidden "")
  endif()
  string(REGEX MATCHALL "[a-z_]+" kind_hidden "${kind_hidden}")
  list(TRANSFORM kind_hidden REPLACE "(.+)" " \\1 ")
  list(JOIN kind_hidden "" kind_hidden)
  # For example, run.started becomes kRunStarted.
  string(REPLACE "." ";" kind_words "${kind_name}")
  set(kind_constant k)
  foreach(word ${kind_words})
    string(SUBSTRING ${word} 0 1 kind_first)
    string(SUBSTRING ${word} 1 -1 kind_rest)
    string(TOUPPER ${kind_first} kind_first)
    string(APPEND kind_constant ${kind_first}${kind_rest})
  endforeach()
  string(APPEND kind_names "  ${kind_constant},\n")
  if(kind_has_line)
    string(APPEND kind_rows "    {\"${kind_name}\", true, \"${kind_hidden}\"},\n")
  else()
    string(APPEND kind_rows "    {\"${kind_name}\", false, {}},\n")
  endif()
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/generated/host/telemetry/event_types.h @ONLY CONTENT
[[// The kinds of events. Written from host/telemetry/kinds.json; do not edit.
#pragma once

namespace moonlet {

enum class EventType {
@kind_names@};

}  // namespace moonlet
]])
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/generated/host/telemetry/kinds.h @ONLY CONTENT
[[// Written from host/telemetry/kinds.json; do not edit.
#pragma once

#include <string_view>

#include "host/telemetry/event_types.h"

namespace moonlet {

struct EventKind {
  std::string_view name;
  bool has_line;            // false: only programs get it
  std::string_view hidden;  // " error  message ": the fields that the line for people leaves out
};

inline constexpr EventKind kEventKinds[] = {
@kind_rows@};

inline constexpr char kEventKindsJson[] = R"json(@kinds_json@)json";

}  // namespace moonlet
]])
