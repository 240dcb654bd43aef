# SPDX-License-Identifier: MIT
# Cross-compiles for 64-bit ARM on Debian, against the arm64 libraries that multiarch puts beside
# the host's (scripts/install_dependencies --test), and runs the tests under qemu-user, whose
# default CPU has every instruction set that it knows, the int8 dot product included.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)

# Without this, pkg-config describes the host's libraries.
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)

# Programs that run while building are the host's.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
