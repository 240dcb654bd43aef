# SPDX-License-Identifier: MIT
# Flags that every translation unit of Tern is compiled with.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# Flags are the build's own: a program that uses the installed library chooses its own.
add_library(tern_build_flags INTERFACE)
# Canonical float: a multiply and an add are two roundings on every target, so that all targets
# give the same bits. -fno-math-errno lets sqrt be one instruction; it changes no result.
target_compile_options(tern_build_flags INTERFACE
  -ffp-contract=off -fno-math-errno -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wno-psabi)
# g++ 12 warns of its own std::string (GCC bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(tern_build_flags INTERFACE -Wno-restrict)
endif()
if(TERN_WERROR)
  target_compile_options(tern_build_flags INTERFACE -Werror)
endif()
if(TERN_SANITIZE)
  target_compile_options(tern_build_flags INTERFACE
    -fsanitize=${TERN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(tern_build_flags INTERFACE -fsanitize=${TERN_SANITIZE})
endif()
if(TERN_BUILD_FUZZERS)
  # Coverage feedback from every room, and its memory checked; tests/fuzz adds the driver.
  target_compile_options(tern_build_flags INTERFACE
    -fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(tern_build_flags INTERFACE -fsanitize=address,undefined)
endif()

add_library(tern_flags INTERFACE)
target_link_libraries(tern_flags INTERFACE $<BUILD_INTERFACE:tern_build_flags>)
target_compile_features(tern_flags INTERFACE cxx_std_20)
target_include_directories(tern_flags INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
