# Run by `cmake --install`: copies the shared libraries that `built` loads beside the installed program, each under the
# name by which it is looked for. What belongs to the machine stays out: the C and C++ libraries and the loader.
file(GET_RUNTIME_DEPENDENCIES EXECUTABLES ${built}
     RESOLVED_DEPENDENCIES_VAR libraries UNRESOLVED_DEPENDENCIES_VAR missing
     PRE_EXCLUDE_REGEXES "^ld-linux" "^lib(c|m|dl|rt|pthread|resolv|util|mvec|stdc\\+\\+|gcc_s)\\.so")
if(missing)
  message(FATAL_ERROR "libraries that ${built} loads are missing: ${missing}")
endif()
set(folder "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/lib")
file(MAKE_DIRECTORY "${folder}")
foreach(library ${libraries})
  cmake_path(GET library FILENAME name)
  file(REAL_PATH "${library}" file)
  file(COPY_FILE "${file}" "${folder}/${name}" ONLY_IF_DIFFERENT)
endforeach()
list(LENGTH libraries count)
message(STATUS "Copied ${count} shared libraries to ${folder}")
