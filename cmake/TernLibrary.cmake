# SPDX-License-Identifier: MIT
# tern_library(NAME <name> [SRCS ...] [TESTS ...] [DEPS ...] [LINK ...] [TEST_DEPS ...]
#              [OTHER_MACHINE ...] [LABELS ...])
#
# Declares the room <name> as the target tern_<name> from the sources beside the CMakeLists.txt.
#   DEPS       rooms that it may include; scripts/check_layers holds the #includes to this list
#   LINK       external targets that it needs, publicly
#   TESTS      x_test.cc files; together they become the test program tern_<name>_test
#   TEST_DEPS  further rooms that the tests alone may include
#   OTHER_MACHINE  sources that only another processor architecture compiles
#   LABELS         of the tests, see tern_test_program
# A room without sources becomes an INTERFACE library. A source or test beside the CMakeLists.txt
# or in its subfolders that is not listed stops the configuration, so none can be forgotten.
function(tern_library)
  cmake_parse_arguments(ARG "" "NAME"
    "SRCS;TESTS;DEPS;LINK;TEST_DEPS;OTHER_MACHINE;LABELS" ${ARGN})
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "tern_library: unknown arguments ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  file(GLOB_RECURSE beside RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} CONFIGURE_DEPENDS *.cc)
  foreach(file ${beside})
    if(NOT file IN_LIST ARG_SRCS AND NOT file IN_LIST ARG_TESTS AND NOT file IN_LIST
       ARG_OTHER_MACHINE)
      message(FATAL_ERROR "${CMAKE_CURRENT_SOURCE_DIR}/${file} is not listed in tern_library")
    endif()
  endforeach()

  set(target tern_${ARG_NAME})
  list(TRANSFORM ARG_DEPS PREPEND tern_ OUTPUT_VARIABLE deps)
  list(TRANSFORM ARG_TEST_DEPS PREPEND tern_ OUTPUT_VARIABLE test_deps)
  if(ARG_SRCS)
    add_library(${target} STATIC ${ARG_SRCS})
    target_link_libraries(${target} PUBLIC tern_flags ${deps} ${ARG_LINK})
  else()
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE tern_flags ${deps} ${ARG_LINK})
  endif()

  set_property(GLOBAL APPEND PROPERTY TERN_ROOMS ${target})

  if(TERN_BUILD_TESTS AND ARG_TESTS)
    add_executable(${target}_test ${ARG_TESTS})
    target_link_libraries(${target}_test PRIVATE ${target} ${test_deps} GTest::gtest_main
                          GTest::gmock)
    tern_test_program(${target}_test PREFIX ${ARG_NAME} LABELS ${ARG_LABELS})
  endif()
endfunction()

# tern_test_program(<target> PREFIX <prefix> [LABELS ...])
#
# Makes every test of a GoogleTest program a ctest named <prefix>.Suite.Test. Labels:
#   qemu    the whole program runs once more as <target>.without_avx, labelled `emulated`, on an
#           emulated x86 CPU that has SSE4.1 but no AVX
#   native  too slow for an emulated CPU or a sanitizer, or about this machine: left out there
function(tern_test_program target)
  cmake_parse_arguments(ARG "" "PREFIX" "LABELS" ${ARGN})
  set(properties TIMEOUT 900)
  if(ARG_LABELS)
    # A list does not survive gtest_discover_tests.
    list(LENGTH ARG_LABELS count)
    if(count GREATER 1)
      message(FATAL_ERROR "tern_test_program: one label at most, not ${ARG_LABELS}")
    endif()
    list(APPEND properties LABELS ${ARG_LABELS})
  endif()
  gtest_discover_tests(${target} TEST_PREFIX ${ARG_PREFIX}. DISCOVERY_TIMEOUT 120
                       PROPERTIES ${properties})
  if("qemu" IN_LIST ARG_LABELS AND TERN_QEMU_X86_64 AND NOT TERN_SANITIZE
     AND NOT TERN_BUILD_FUZZERS AND NOT CMAKE_CROSSCOMPILING
     AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    add_test(NAME ${target}.without_avx
             COMMAND ${TERN_QEMU_X86_64} -cpu Nehalem $<TARGET_FILE:${target}> --gtest_brief=1)
    set_tests_properties(${target}.without_avx PROPERTIES TIMEOUT 900 LABELS emulated)
  endif()
endfunction()
