# SPDX-License-Identifier: MIT
# cmake --install: the program, the models that ship, and two libraries for find_package(tern) and
# pkg-config. Included by the top level.
#   tern::tern  the C++ rooms as static libraries, whose front is <tern/tern.h>
#   tern::c     libtern.so, whose front is <tern/c_api.h>; find_package(tern COMPONENTS c) asks for
#               it alone, and for none of the packages that the other is built with
include(CMakePackageConfigHelpers)

add_library(tern INTERFACE)
target_link_libraries(tern INTERFACE tern_cpu tern_linalg tern_runtime tern_train)
add_library(tern::tern ALIAS tern)

get_property(rooms GLOBAL PROPERTY TERN_ROOMS)
install(TARGETS tern tern_flags ${rooms} EXPORT ternTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS tern_shared EXPORT ternCTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
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
install(EXPORT ternCTargets NAMESPACE tern:: DESTINATION ${package})

# Relative to its own place, so that an installation may be moved.
set(pkgconfig ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH TERN_PKGCONFIG_UP ${pkgconfig} ${CMAKE_INSTALL_PREFIX})
file(RELATIVE_PATH TERN_PKGCONFIG_LIB ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_LIBDIR})
file(RELATIVE_PATH TERN_PKGCONFIG_INCLUDE ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
configure_file(${CMAKE_CURRENT_LIST_DIR}/tern.pc.in tern.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/tern.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
