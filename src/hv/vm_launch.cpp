// SPDX-License-Identifier: Apache-2.0
#include "hv/vm_launch.h"

#include <fmt/format.h>

#include "cluster/core/sha256.h"

namespace mcv::hv {
namespace {

constexpr std::size_t serial_limit = 20;  // virtio-blk's ID field
constexpr std::size_t disk_limit = 16;    // fixed PCI slots of the QEMU driver
constexpr std::size_t nic_limit = 8;
constexpr std::uint32_t cpu_limit = 240;

Error refused(const VmLaunch& launch, std::string what) {
  return Error(ErrorCode::bad_request, fmt::format("VM {} cannot be started: {}", launch.name.str(), what))
      .with_safe("nothing was started");
}

}  // namespace

std::string disk_serial(const VolumeName& volume) {
  const std::string& name = volume.str();
  if (name.size() <= serial_limit) return name;
  constexpr std::size_t hash_length = 8;
  return name.substr(0, serial_limit - hash_length - 1) + "-" + sha256_hex(name).substr(0, hash_length);
}

Status check_launch(const VmLaunch& launch) {
  if (launch.cpus == 0 || launch.cpus > cpu_limit) return refused(launch, fmt::format("{} CPUs; 1 to {} are possible", launch.cpus, cpu_limit));
  if (launch.memory < Bytes::mib(32)) return refused(launch, launch.memory.to_text() + " of memory are too little");
  if (launch.disks.size() > disk_limit) return refused(launch, fmt::format("{} disks; {} are possible", launch.disks.size(), disk_limit));
  if (launch.nics.size() > nic_limit) return refused(launch, fmt::format("{} NICs; {} are possible", launch.nics.size(), nic_limit));
  for (const LaunchDisk& disk : launch.disks) {
    if (disk.path.empty() || disk.path.front() != '/') return refused(launch, "disk path '" + disk.path + "' is not absolute");
    if (disk.serial.empty() || disk.serial.size() > serial_limit)
      return refused(launch, fmt::format("disk serial '{}' is not 1 to {} bytes long", disk.serial, serial_limit));
  }
  for (const LaunchNic& nic : launch.nics) {
    if (nic.tap.empty() || nic.mac.empty()) return refused(launch, "a NIC has no tap or no MAC address");
  }
  if (!launch.boot.kernel.empty() && !launch.boot.firmware.empty()) return refused(launch, "kernel and firmware exclude each other");
  return success();
}

}  // namespace mcv::hv
