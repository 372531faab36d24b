# Makes an npm package from the installed moonlet; run by `cmake --build DIR --target moonlet_npm`. The package's bin
# is the executable itself, so npm runs no script.
#   cmake -DARCHIVE=FILE.tar.gz -DMANIFEST=package.json -DOUT=DIR -P npm.cmake
file(REMOVE_RECURSE ${OUT}/package)
file(MAKE_DIRECTORY ${OUT}/package)
file(ARCHIVE_EXTRACT INPUT ${ARCHIVE} DESTINATION ${OUT}/package)
file(GLOB folder ${OUT}/package/*)
file(RENAME ${folder} ${OUT}/package/moonlet)
file(REMOVE_RECURSE ${OUT}/package/moonlet/include ${OUT}/package/moonlet/lib)
file(COPY ${MANIFEST} DESTINATION ${OUT}/package)
execute_process(COMMAND npm pack --silent ${OUT}/package WORKING_DIRECTORY ${OUT} RESULT_VARIABLE result)
if(result)
  message(FATAL_ERROR "npm pack ended with ${result}")
endif()
