# TORCH_LIBRARIES: the libtorch that find_package() finds, or that of a PyTorch wheel (ORGANON_TORCH_WHEEL), whose own
# configuration would ask for the whole CUDA toolkit.
set(ORGANON_TORCH_WHEEL "" CACHE PATH "Folder 'torch' of an installed or unpacked PyTorch wheel; empty: find_package")
option(ORGANON_TORCH_CUDA "Use the CUDA of that wheel, where it has any; else its libraries of CUDA are not needed" ON)
if(ORGANON_TORCH_WHEEL)
  # All but the wheel's own fmt, which would shadow ours.
  set(torch_headers ${CMAKE_BINARY_DIR}/libtorch/include)
  file(MAKE_DIRECTORY ${torch_headers})
  file(GLOB folders RELATIVE ${ORGANON_TORCH_WHEEL}/include ${ORGANON_TORCH_WHEEL}/include/*)
  list(REMOVE_ITEM folders fmt)
  foreach(folder ${folders})
    file(CREATE_LINK ${ORGANON_TORCH_WHEEL}/include/${folder} ${torch_headers}/${folder} SYMBOLIC)
  endforeach()
  add_library(organon_torch INTERFACE)
  target_include_directories(organon_torch SYSTEM INTERFACE ${torch_headers}
                             ${torch_headers}/torch/csrc/api/include)
  target_link_directories(organon_torch INTERFACE ${ORGANON_TORCH_WHEEL}/lib)
  # The C++ library first: the wheel's libtorch.so exports parts of an older one, which would be taken instead.
  target_link_libraries(organon_torch INTERFACE stdc++ torch_cpu c10)
  if(EXISTS ${ORGANON_TORCH_WHEEL}/lib/libtorch_cuda.so)
    # What these libraries need of CUDA may come with other wheels.
    target_link_options(organon_torch INTERFACE -Wl,--allow-shlib-undefined)
    if(ORGANON_TORCH_CUDA)
      # Devices register themselves when their library is loaded.
      target_link_options(organon_torch INTERFACE -Wl,--no-as-needed)
      target_link_libraries(organon_torch INTERFACE torch torch_cuda c10_cuda)
    endif()
  endif()
  set(TORCH_LIBRARIES organon_torch)
else()
  find_package(Torch REQUIRED)
  # libtorch's own headers warn; they are a system's.
  set_property(TARGET torch APPEND PROPERTY INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${TORCH_INCLUDE_DIRS}")
endif()
