// SPDX-License-Identifier: Apache-2.0
#include "cluster/host/packages.h"

#include <fmt/format.h>
#include <map>

namespace mcv::host {

std::string_view package_of(std::string_view program) {
  static const std::map<std::string_view, std::string_view> packages = {
      {"vgs", "lvm2"},           {"lvs", "lvm2"},          {"lvcreate", "lvm2"},         {"lvchange", "lvm2"},          {"lvremove", "lvm2"},
      {"lvrename", "lvm2"},      {"lvextend", "lvm2"},     {"lvconvert", "lvm2"},        {"drbdadm", "drbd-utils"},     {"drbdsetup", "drbd-utils"},
      {"drbdmeta", "drbd-utils"}, {"corosync", "corosync"}, {"corosync-cmapctl", "corosync"}, {"corosync-cfgtool", "corosync"}, {"ip", "iproute2"},
      {"modprobe", "kmod"},      {"blkdiscard", "util-linux"}, {"fallocate", "util-linux"}, {"getent", "libc-bin"},
      {"systemctl", "systemd"},  {"systemd-run", "systemd"},
  };
  const std::size_t slash = program.rfind('/');
  const auto found = packages.find(slash == std::string_view::npos ? program : program.substr(slash + 1));
  return found == packages.end() ? std::string_view() : found->second;
}

Error program_missing(const std::string& program, std::string_view why) {
  Error error(ErrorCode::command_missing, fmt::format("the program '{}' {}", program, why));
  const std::string_view package = package_of(program);
  if (package.empty()) return error;
  return std::move(error).with_next(fmt::format("apt install {}", package));
}

}  // namespace mcv::host
