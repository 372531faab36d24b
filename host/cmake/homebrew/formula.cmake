# Writes the Homebrew formula for a source archive (`cpack --config CPackSourceConfig.cmake`).
#   cmake -DARCHIVE=FILE.tar.gz -DURL=where-it-is-published -DHOMEPAGE=address -DOUT=moonlet.rb -P formula.cmake
foreach(name ARCHIVE URL HOMEPAGE OUT)
  if(NOT ${name})
    message(FATAL_ERROR "-D${name}=… is missing; the head of ${CMAKE_CURRENT_LIST_FILE} says what it is")
  endif()
endforeach()
file(SHA256 ${ARCHIVE} SHA256)
configure_file(${CMAKE_CURRENT_LIST_DIR}/moonlet.rb.in ${OUT} @ONLY)
