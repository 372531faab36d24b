# cpack runs this in the staged folder. Writes the commit of the source archive into the file COMMIT.
if(CPACK_INSTALLED_DIRECTORIES AND EXISTS "${CMAKE_CURRENT_LIST_DIR}/../../.git")
  execute_process(COMMAND git -C ${CMAKE_CURRENT_LIST_DIR}/../.. rev-parse --short HEAD
                  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE)
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/COMMIT "${commit}\n")
endif()
