# `cmake --install BUILD --prefix FOLDER` makes a folder that can be copied to any machine with this Linux or a newer one:
#   bin/organon, lib/ (the shared libraries that a bare system lacks), share/organon/portal (the page).
if(NOT TARGET organon)
  return()
endif()
include(GNUInstallDirs)
install(TARGETS organon RUNTIME DESTINATION bin)
install(DIRECTORY portal/dist/ DESTINATION share/organon/portal OPTIONAL)
install(FILES LICENSE README.md DESTINATION share/doc/organon)

# RPATH, not RUNPATH: the libraries find their own libraries through it too.
target_link_options(organon PRIVATE -Wl,--disable-new-dtags)
set_target_properties(organon PROPERTIES INSTALL_RPATH "$ORIGIN/../lib" INSTALL_RPATH_USE_LINK_PATH OFF)
install(CODE "set(program \"\${CMAKE_INSTALL_PREFIX}/bin/organon\")\nset(built \"$<TARGET_FILE:organon>\")")
install(SCRIPT cmake/copy_libraries.cmake)
