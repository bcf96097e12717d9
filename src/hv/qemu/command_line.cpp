// SPDX-License-Identifier: Apache-2.0
#include "hv/qemu/command_line.h"

#include <fmt/format.h>

namespace mcv::hv::qemu {
namespace {

// Slots on the root bus. 0 and 31 belong to the chipset, 1 stays free for a display.
constexpr int rng_slot = 0x02;
constexpr int panic_slot = 0x03;
constexpr int first_nic_slot = 0x04;
constexpr int first_disk_slot = 0x0c;

// In QEMU's option syntax a comma inside a value is doubled.
std::string value(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == ',') escaped += ',';
    escaped += c;
  }
  return escaped;
}

std::string server_socket(const char* id, const std::string& path) {
  return fmt::format("socket,id={},path={},server=on,wait=off", id, value(path));
}

}  // namespace

SocketPaths socket_paths(const std::string& vm_directory) {
  return {vm_directory + "/qmp.sock", vm_directory + "/qmp-debug.sock", vm_directory + "/console.sock", vm_directory + "/console.spool"};
}

host::Argv command_line(const std::string& binary, const VmLaunch& launch, const SocketPaths& paths) {
  host::Argv argv{binary};
  const auto add = [&argv](const char* option, std::string text) {
    argv.emplace_back(option);
    argv.push_back(std::move(text));
  };
  add("-name", fmt::format("guest={},debug-threads=on", value(launch.name.str())));
  add("-uuid", launch.uuid);
  argv.insert(argv.end(), {"-nodefaults", "-no-user-config"});
  add("-display", "none");
  add("-machine", "pc-q35-7.2,accel=kvm");
  add("-cpu", "host");
  add("-smp", fmt::format("{}", launch.cpus));
  add("-m", fmt::format("size={}M", launch.memory.in_mib()));
  add("-rtc", "base=utc");
  // The guest starts by `cont`, after the console is attached, and its power-off leaves the process, so that an exit nobody
  // asked for is always a failure. A panic is reported and left to the guest's own panic= setting.
  argv.insert(argv.end(), {"-S", "-no-shutdown"});
  add("-action", "panic=none");
  add("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
  add("-chardev", server_socket("monitor", paths.monitor));
  add("-mon", "chardev=monitor,mode=control");
  add("-chardev", server_socket("debug", paths.debug_monitor));
  add("-mon", "chardev=debug,mode=control");
  add("-chardev", server_socket("console", paths.console) + ",logfile=" + value(paths.console_spool) + ",logappend=on");
  add("-serial", "chardev:console");
  add("-object", "rng-random,id=entropy,filename=/dev/urandom");
  add("-device", fmt::format("virtio-rng-pci,rng=entropy,bus=pcie.0,addr={:#x}", rng_slot));
  add("-device", fmt::format("pvpanic-pci,bus=pcie.0,addr={:#x}", panic_slot));
  int index = 0;
  for (const LaunchDisk& disk : launch.disks) {
    // O_DIRECT: what the guest flushed must be with DRBD, and a replica must not be hidden by this node's page cache.
    const char* driver = disk.path.starts_with("/dev/") ? "host_device" : "file";
    add("-blockdev", fmt::format("driver={},node-name=disk{},filename={},cache.direct=on,aio=native,discard=unmap", driver, index, value(disk.path)));
    add("-device", fmt::format("virtio-blk-pci,id=vd{0},drive=disk{0},serial={1},bootindex={2},bus=pcie.0,addr={3:#x}", index, value(disk.serial),
                               index + 1, first_disk_slot + index));
    ++index;
  }
  index = 0;
  for (const LaunchNic& nic : launch.nics) {
    add("-netdev", fmt::format("tap,id=net{},ifname={},script=no,downscript=no", index, value(nic.tap)));
    add("-device", fmt::format("virtio-net-pci,id=nic{0},netdev=net{0},mac={1},romfile=,bus=pcie.0,addr={2:#x}", index, nic.mac,
                               first_nic_slot + index));
    ++index;
  }
  if (!launch.boot.firmware.empty()) add("-bios", launch.boot.firmware);
  if (!launch.boot.kernel.empty()) {
    add("-kernel", launch.boot.kernel);
    if (!launch.boot.initramfs.empty()) add("-initrd", launch.boot.initramfs);
    if (!launch.boot.cmdline.empty()) add("-append", launch.boot.cmdline);
  }
  return argv;
}

}  // namespace mcv::hv::qemu
