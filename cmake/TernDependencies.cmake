# SPDX-License-Identifier: MIT
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json 3.7 REQUIRED)
find_package(CLI11 REQUIRED)
find_package(hwy REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET "libpcre2-8>=10.40")

# BLAS for gradients only. The serial build comes first: Tern splits the work over its own threads.
find_path(TERN_CBLAS_INCLUDE_DIR cblas.h
  PATH_SUFFIXES ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-serial ${CMAKE_LIBRARY_ARCHITECTURE}
                openblas-serial openblas REQUIRED)
find_library(TERN_CBLAS_LIBRARY openblas
  PATH_SUFFIXES ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-serial openblas-serial REQUIRED)
add_library(tern_cblas INTERFACE)
target_include_directories(tern_cblas SYSTEM INTERFACE ${TERN_CBLAS_INCLUDE_DIR})
target_link_libraries(tern_cblas INTERFACE ${TERN_CBLAS_LIBRARY})

if(TERN_BUILD_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
  find_program(TERN_QEMU_X86_64 qemu-x86_64 DOC "Emulator of x86 CPUs that lack AVX")
endif()
if(TERN_BUILD_BENCHMARKS)
  find_package(benchmark REQUIRED)
endif()
