# Installs what an embedder needs: the headers <moonlet/…>, the libraries, a CMake package (moonlet::engine is the
# archive, moonlet::shared the shared library) and a file for pkg-config. The installed folder can be moved.
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME development)
install(DIRECTORY lua/include/moonlet DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES host/base/result.h ${CMAKE_CURRENT_BINARY_DIR}/generated/host/telemetry/event_types.h
              ${CMAKE_CURRENT_BINARY_DIR}/include/moonlet/version.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/moonlet)
set(libraries moonlet_archive)
if(MOONLET_SHARED)
  list(APPEND libraries moonlet_shared)
endif()
install(TARGETS ${libraries} EXPORT moonlet
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/moonlet)
install(EXPORT moonlet NAMESPACE moonlet:: FILE moonletTargets.cmake DESTINATION ${package})
file(CONFIGURE OUTPUT moonletConfig.cmake @ONLY CONTENT [[
include(CMakeFindDependencyMacro)
set(MOONLET_STATIC_DEPS @MOONLET_STATIC_DEPS@)
set(MOONLET_LUA "@MOONLET_LUA@")
list(PREPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_LIST_DIR}")
find_dependency(MoonletDependencies)
list(POP_FRONT CMAKE_MODULE_PATH)
include("${CMAKE_CURRENT_LIST_DIR}/moonletTargets.cmake")
]])
write_basic_package_version_file(moonletConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/moonletConfig.cmake host/cmake/FindMoonletDependencies.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/moonletConfigVersion.cmake
        DESTINATION ${package})

# pkg-config computes the folder from the location of the file, so the folder can be moved.
string(REGEX REPLACE "[^/]+" ".." up "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
file(CONFIGURE OUTPUT moonlet.pc @ONLY CONTENT [[
prefix=${pcfiledir}/@up@
libdir=${prefix}/@CMAKE_INSTALL_LIBDIR@
includedir=${prefix}/@CMAKE_INSTALL_INCLUDEDIR@

Name: moonlet
Description: runs Lua presets that put coding agents to work
Version: @PROJECT_VERSION@
Cflags: -I${includedir}
Libs: -L${libdir} -lmoonlet
Libs.private: -luv -lnettle -lutf8proc -lz -ledit -lvterm -lsqlite3 -lre2 -l@moonlet_lua_name@ -lstdc++ -lpthread -lm -ldl
]])
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/moonlet.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
