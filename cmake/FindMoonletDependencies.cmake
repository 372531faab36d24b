# Finds the libraries that moonlet links, as targets moonlet::dep_NAME. Both moonlet's own build and the package that
# an embedder finds read this file, so an installation holds no path of the machine that built it.
# Reads MOONLET_STATIC_DEPS (prefer archives) and MOONLET_LUA ("c" or "c++"). An archive starts in less than half the
# time of a shared object.
include(CMakeFindDependencyMacro)
include(FindPackageHandleStandardArgs)
find_dependency(Threads)
set(moonlet_required "")

# moonlet_find(NAME HEADER LIBRARY...) makes moonlet::dep_NAME from the first library that is there.
function(moonlet_find name header)
  if(MOONLET_STATIC_DEPS)
    set(archives ${ARGN})
    list(TRANSFORM archives APPEND ".a")
    list(TRANSFORM archives PREPEND "lib")
  endif()
  find_library(MOONLET_${name}_LIBRARY NAMES ${archives} ${ARGN})
  find_path(MOONLET_${name}_INCLUDE NAMES ${header} PATH_SUFFIXES lua5.4 lua-5.4 lua)
  mark_as_advanced(MOONLET_${name}_LIBRARY MOONLET_${name}_INCLUDE)
  set(moonlet_required ${moonlet_required} MOONLET_${name}_LIBRARY MOONLET_${name}_INCLUDE PARENT_SCOPE)
  if(TARGET moonlet::dep_${name} OR NOT MOONLET_${name}_LIBRARY OR NOT MOONLET_${name}_INCLUDE)
    return()
  endif()
  add_library(moonlet::dep_${name} INTERFACE IMPORTED GLOBAL)
  set_target_properties(moonlet::dep_${name} PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${MOONLET_${name}_INCLUDE}"
    INTERFACE_LINK_LIBRARIES "${MOONLET_${name}_LIBRARY}")
endfunction()

# moonlet_also(NAME LIBRARY...) adds what the library NAME itself needs.
function(moonlet_also name)
  if(TARGET moonlet::dep_${name})
    set_property(TARGET moonlet::dep_${name} APPEND PROPERTY INTERFACE_LINK_LIBRARIES ${ARGN})
  endif()
endfunction()

moonlet_find(uv uv.h uv_a uv)
moonlet_also(uv Threads::Threads ${CMAKE_DL_LIBS})
moonlet_find(nettle nettle/sha2.h nettle)
moonlet_find(utf8proc utf8proc.h utf8proc)
moonlet_find(z zlib.h z)
moonlet_find(edit histedit.h edit)
moonlet_find(vterm vterm.h vterm)
if(MOONLET_edit_LIBRARY MATCHES "\\.a$")
  moonlet_find(tinfo term.h tinfo ncurses)
  moonlet_find(bsd bsd/string.h bsd)
  moonlet_find(md md5.h md)
  moonlet_also(edit moonlet::dep_tinfo moonlet::dep_bsd moonlet::dep_md)
endif()
moonlet_find(sqlite sqlite3.h sqlite3)
moonlet_also(sqlite Threads::Threads m ${CMAKE_DL_LIBS})
moonlet_find(re2 re2/re2.h re2)
moonlet_also(re2 Threads::Threads)
if(MOONLET_re2_INCLUDE)
  file(STRINGS "${MOONLET_re2_INCLUDE}/re2/re2.h" moonlet_re2_on_abseil REGEX "absl/" LIMIT_COUNT 1)
endif()
if(moonlet_re2_on_abseil)
  # Since 2023 RE2 needs Abseil, and only RE2's own package file knows which parts of it.
  find_dependency(re2 CONFIG)
  set_target_properties(moonlet::dep_re2 PROPERTIES INTERFACE_LINK_LIBRARIES re2::re2)
endif()
if(MOONLET_LUA STREQUAL "c++")
  moonlet_find(lua lua.h lua5.4-c++ lua-c++)
else()
  moonlet_find(lua lua.h lua5.4 lua-5.4 lua)
endif()
moonlet_also(lua m ${CMAKE_DL_LIBS})

find_package_handle_standard_args(MoonletDependencies REQUIRED_VARS ${moonlet_required}
  REASON_FAILURE_MESSAGE "On Debian, moonlet's examples/quickstart.sh installs what is missing.")
