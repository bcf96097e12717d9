// SPDX-License-Identifier: Apache-2.0
// A VM as a VMM needs it: every name resolved to a device, a tap or a file of this node. Made by the planner of
// `vm start` from the shared records; hv/ looks nothing up.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/core/names.h"
#include "cluster/core/units.h"
#include "cluster/model/records.h"

namespace mcv::hv {

struct LaunchDisk {
  std::string path;    ///< /dev/drbd100, /dev/vg0/mcv-vm1-0, or an image file of a directory pool
  std::string serial;  ///< what the guest sees in /dev/disk/by-id; at most 20 bytes. Use disk_serial()
  friend bool operator==(const LaunchDisk&, const LaunchDisk&) = default;
};

struct LaunchNic {
  std::string tap;  ///< a persistent tap owned by mcv-guest with vnet_hdr, made before and removed after the VMM
  std::string mac;
  friend bool operator==(const LaunchNic&, const LaunchNic&) = default;
};

struct VmLaunch {
  VmName name;
  std::string uuid;
  std::uint32_t cpus = 1;
  Bytes memory;
  std::vector<LaunchDisk> disks;
  std::vector<LaunchNic> nics;
  BootRecord boot;
  friend bool operator==(const VmLaunch&, const VmLaunch&) = default;
};

/// The volume's name where it fits virtio's 20 bytes, else its beginning and a hash: equal on both nodes, so that
/// /dev/disk/by-id in the guest does not change when it moves.
std::string disk_serial(const VolumeName& volume);

/// What no VMM can be started with: no CPU, too little memory, a serial too long, a NIC without tap or MAC.
Status check_launch(const VmLaunch& launch);

}  // namespace mcv::hv
