# Packages that `cpack` makes in the build folder: a .tar.gz for one user and the .deb packages moonlet, libmoonlet1
# and libmoonlet-dev. With --config CPackSourceConfig.cmake it makes the source archive, which builds without git.
# dpkg-shlibdeps finds the dependencies of the .deb packages, whose prefix is always /usr.
set(CPACK_PACKAGE_NAME moonlet)
set(archive moonlet-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME})
set(CPACK_PACKAGE_FILE_NAME ${archive})
set(CPACK_PACKAGE_VENDOR moonlet)
set(CPACK_PACKAGE_CONTACT "moonlet <moonlet@localhost>" CACHE STRING "the maintainer that packages name")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "runs Lua presets that put coding agents to work")
set(CPACK_PACKAGE_DESCRIPTION "A preset is a short Lua script. It writes prompts, runs several coding agents side by side as
 bounded processes, checks their answers and merges them. Each step is on record, so that a killed run goes on without
 paying twice.")
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_CURRENT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR TGZ)
find_program(DPKG_DEB dpkg-deb)
if(DPKG_DEB AND MOONLET_SHARED)
  list(APPEND CPACK_GENERATOR DEB)
endif()
# Debian wants the license in each package.
foreach(part program library development)
  set(doc_of_program moonlet)
  set(doc_of_library libmoonlet1)
  set(doc_of_development libmoonlet-dev)
  install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${doc_of_${part}} RENAME copyright COMPONENT ${part})
endforeach()

set(CPACK_COMPONENTS_ALL program library development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_SOURCE_DIR}/host/cmake/debian/complete.cmake)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME moonlet)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS git)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libmoonlet1)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_SOURCE_DIR}/host/cmake/debian/triggers)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libmoonlet-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libmoonlet1 (= ${PROJECT_VERSION}), libuv1-dev, nettle-dev, \
libutf8proc-dev, zlib1g-dev, libedit-dev, libvterm-dev, libsqlite3-dev, libre2-dev, liblua5.4-dev")

set(CPACK_DEBIAN_PROGRAM_DESCRIPTION "This is the command moonlet, with its manual page and its guides.")
set(CPACK_DEBIAN_LIBRARY_DESCRIPTION "This is the library that programs in C and C++ link to run presets.")
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION "These are the headers and archives to build programs with libmoonlet.")

set(CPACK_SOURCE_GENERATOR TGZ)
set(CPACK_SOURCE_PACKAGE_FILE_NAME moonlet-${PROJECT_VERSION})
set(CPACK_SOURCE_IGNORE_FILES "/build/" "/\\\\.git/" "/\\\\.git$" "/\\\\.agent/" "/\\\\.cache/" "/__pycache__/")
set(CPACK_INSTALL_SCRIPTS ${CMAKE_CURRENT_SOURCE_DIR}/host/cmake/source_commit.cmake)
include(CPack)

# The bin of the npm package is the executable of the archive.
find_program(NPM npm)
if(NPM)
  set(npm_cpu ${CMAKE_SYSTEM_PROCESSOR})
  string(REPLACE x86_64 x64 npm_cpu "${npm_cpu}")
  string(REPLACE aarch64 arm64 npm_cpu "${npm_cpu}")
  configure_file(host/cmake/npm/package.json.in npm/package.json @ONLY)
  add_custom_target(moonlet_npm
    COMMAND ${CMAKE_CPACK_COMMAND} -G TGZ
    COMMAND ${CMAKE_COMMAND} -DARCHIVE=${CMAKE_CURRENT_BINARY_DIR}/${archive}.tar.gz
            -DMANIFEST=${CMAKE_CURRENT_BINARY_DIR}/npm/package.json -DOUT=${CMAKE_CURRENT_BINARY_DIR}/npm
            -P ${CMAKE_CURRENT_SOURCE_DIR}/host/cmake/npm.cmake
    DEPENDS moonlet_install_files VERBATIM)
endif()
