// SPDX-License-Identifier: Apache-2.0
// The argument vector of a QEMU guest (QEMU 7.2 or newer). Pure; golden files in tests/data/qmp.
#pragma once

#include <string>

#include "cluster/host/processes.h"
#include "hv/vm_launch.h"

namespace mcv::hv::qemu {

struct SocketPaths {
  std::string monitor;        ///< QMP, one client: the daemon
  std::string debug_monitor;  ///< QMP for people
  std::string console;
  std::string console_spool;  ///< everything the guest printed, also while nobody was attached
};
SocketPaths socket_paths(const std::string& vm_directory);

/// Machine type and PCI addresses are fixed: a guest keeps its devices' names over QEMU versions and added disks.
host::Argv command_line(const std::string& binary, const VmLaunch& launch, const SocketPaths& paths);

}  // namespace mcv::hv::qemu
