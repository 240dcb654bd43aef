# SPDX-License-Identifier: MIT
# cmake --install: the program, the models that ship, and the library for find_package(tern), whose
# target is tern::tern and whose front is <tern/tern.h>. Included by the top level.
include(CMakePackageConfigHelpers)

add_library(tern INTERFACE)
target_link_libraries(tern INTERFACE tern_cpu tern_linalg tern_runtime tern_train)
add_library(tern::tern ALIAS tern)

get_property(rooms GLOBAL PROPERTY TERN_ROOMS)
install(TARGETS tern tern_flags ${rooms} EXPORT ternTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS tern_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY models DESTINATION ${CMAKE_INSTALL_DATADIR}/tern)
install(DIRECTORY tern DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h" PATTERN "*.inc" PATTERN "*-inl.h" EXCLUDE
        PATTERN "test_*.h" EXCLUDE PATTERN "*_test.h" EXCLUDE)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/tern)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/ternConfig.cmake.in ternConfig.cmake
                              INSTALL_DESTINATION ${package})
write_basic_package_version_file(ternConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ternConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/ternConfigVersion.cmake DESTINATION ${package})
install(EXPORT ternTargets NAMESPACE tern:: DESTINATION ${package})
