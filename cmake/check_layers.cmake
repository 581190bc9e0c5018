# The layer check is a step of the build: an include line or a link list across the layers fails it.
find_program(PYTHON3 python3 REQUIRED)
file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/*.h ${CMAKE_SOURCE_DIR}/src/*.cc
     ${CMAKE_SOURCE_DIR}/src/*CMakeLists.txt)
set(stamp ${CMAKE_BINARY_DIR}/layers_checked)
add_custom_command(OUTPUT ${stamp}
                   COMMAND ${PYTHON3} ${CMAKE_SOURCE_DIR}/tools/check_layers ${CMAKE_SOURCE_DIR}/src
                   COMMAND ${CMAKE_COMMAND} -E touch ${stamp}
                   DEPENDS ${sources} ${CMAKE_SOURCE_DIR}/tools/check_layers
                   COMMENT "Checking the layers" VERBATIM)
add_custom_target(check_layers ALL DEPENDS ${stamp})
if(TARGET organon)
  add_dependencies(organon check_layers)
endif()
