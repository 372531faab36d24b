# Builds the libraries that an embedder links, from the objects of moonlet_host and moonlet_lua: libmoonlet.a, and
# libmoonlet.so, which exports only the public interface.
set(moonlet_objects $<TARGET_OBJECTS:moonlet_host> $<TARGET_OBJECTS:moonlet_lua>)
if(MOONLET_INSTALL)
  add_library(moonlet_archive STATIC ${moonlet_objects})
  set_target_properties(moonlet_archive PROPERTIES OUTPUT_NAME moonlet EXPORT_NAME engine LINKER_LANGUAGE CXX)
  target_compile_features(moonlet_archive INTERFACE cxx_std_20)
  # Embedders link the dependencies, but do not see their headers.
  foreach(dependency ${moonlet_dependencies})
    target_link_libraries(moonlet_archive INTERFACE $<LINK_ONLY:${dependency}>)
  endforeach()
endif()
if(MOONLET_SHARED)
  add_library(moonlet_shared SHARED ${moonlet_objects})
  # 1 is the version of the C interface.
  set_target_properties(moonlet_shared PROPERTIES OUTPUT_NAME moonlet EXPORT_NAME shared LINKER_LANGUAGE CXX
                                                  SOVERSION 1 VERSION 1.${PROJECT_VERSION})
  target_compile_features(moonlet_shared INTERFACE cxx_std_20)
  target_link_libraries(moonlet_shared PRIVATE ${moonlet_shared_libraries} Threads::Threads ${CMAKE_DL_LIBS})
  if(NOT APPLE)
    # Without the version script, templates of the C++ library would be exported too.
    target_link_options(moonlet_shared PRIVATE
                        "LINKER:--version-script=${CMAKE_CURRENT_SOURCE_DIR}/host/cmake/exported_symbols")
    set_property(TARGET moonlet_shared PROPERTY LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/host/cmake/exported_symbols)
  endif()
endif()
