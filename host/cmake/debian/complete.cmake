# cpack runs this on the staged files. Adds what Debian's policy demands of a .deb package: a compressed manual page
# for each program, a changelog in Debian's format, and lintian overrides with their reasons.
if(NOT CPACK_GENERATOR STREQUAL DEB)
  return()
endif()
# Compresses a file as the policy demands, without a time stamp, so that builds are reproducible.
function(compress file)
  execute_process(COMMAND gzip -9n ${file} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

set(staged ${CPACK_TEMPORARY_INSTALL_DIRECTORY})
file(GLOB_RECURSE pages ${staged}/moonlet.1)
foreach(page ${pages})
  compress(${page})
  get_filename_component(folder ${page} DIRECTORY)
  file(GLOB helpers ${folder}/../../../bin/moonlet-*)
  foreach(helper ${helpers})
    get_filename_component(name ${helper} NAME)
    file(CREATE_LINK moonlet.1.gz ${folder}/${name}.1.gz SYMBOLIC)
  endforeach()
endforeach()

# The changelog's date is SOURCE_DATE_EPOCH, if it is set.
string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(GLOB_RECURSE licenses ${staged}/copyright)
foreach(license ${licenses})
  get_filename_component(folder ${license} DIRECTORY)
  get_filename_component(package ${folder} NAME)
  file(WRITE ${folder}/changelog "moonlet (${CPACK_PACKAGE_VERSION}) unstable; urgency=medium\n\n"
       "  * Release ${CPACK_PACKAGE_VERSION}. CHANGELOG.md in the source archive lists the changes.\n\n"
       " -- ${CPACK_PACKAGE_CONTACT}  ${now}\n")
  compress(${folder}/changelog)
  set(overrides ${CMAKE_CURRENT_LIST_DIR}/${package}.overrides)
  if(EXISTS ${overrides})
    configure_file(${overrides} ${folder}/../../lintian/overrides/${package} COPYONLY)
  endif()
endforeach()
