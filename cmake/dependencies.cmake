# SPDX-License-Identifier: Apache-2.0
# Debian 12 packages only; docs/dependencies.md lists each with its licence.
find_package(Boost 1.81 REQUIRED COMPONENTS program_options)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(fmt 9 REQUIRED)
find_package(spdlog REQUIRED)
find_package(tl-expected REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(corosync REQUIRED IMPORTED_TARGET libcpg libcmap libvotequorum libcfg libcorosync_common)
pkg_check_modules(libssh REQUIRED IMPORTED_TARGET libssh)
pkg_check_modules(libsystemd REQUIRED IMPORTED_TARGET libsystemd)
