# Writes <moonlet/version.h>, and the details that `moonlet --version` prints after the version: the commit and the
# build options. A source archive has its commit in the file COMMIT.
set(commit "")
if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/COMMIT)
  file(STRINGS ${CMAKE_CURRENT_SOURCE_DIR}/COMMIT commit LIMIT_COUNT 1)
elseif(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/.git)
  execute_process(COMMAND git -C ${CMAKE_CURRENT_SOURCE_DIR} rev-parse --short HEAD
                  OUTPUT_VARIABLE commit ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  # A new commit makes CMake configure the build again.
  execute_process(COMMAND git -C ${CMAKE_CURRENT_SOURCE_DIR} rev-parse --path-format=absolute --git-path logs/HEAD
                  OUTPUT_VARIABLE head ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(EXISTS "${head}")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${head}")
  endif()
endif()
set(details ${commit} "Lua as ${MOONLET_LUA}")
if(MOONLET_STATIC_DEPS)
  list(APPEND details "static libraries")
endif()
if(MOONLET_PLAIN_POSIX)
  list(APPEND details "plain POSIX")
endif()
if(MOONLET_SANITIZE)
  list(APPEND details "sanitizers ${MOONLET_SANITIZE}")
endif()
string(REPLACE ";" ", " details "${details}")
file(CONFIGURE OUTPUT generated/version_details.h CONTENT "#define MOONLET_VERSION_DETAILS \" (${details})\"\n")
file(CONFIGURE OUTPUT include/moonlet/version.h @ONLY CONTENT
[[/* The version of moonlet's headers. */
#ifndef MOONLET_VERSION_H
#define MOONLET_VERSION_H

#define MOONLET_VERSION_MAJOR @PROJECT_VERSION_MAJOR@
#define MOONLET_VERSION_MINOR @PROJECT_VERSION_MINOR@
#define MOONLET_VERSION_PATCH @PROJECT_VERSION_PATCH@
#ifndef MOONLET_VERSION
#define MOONLET_VERSION "@PROJECT_VERSION@"
#endif

#endif
]])
