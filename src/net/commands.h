// SPDX-License-Identifier: Apache-2.0
// iproute2's commands as data.
#pragma once

#include <chrono>
#include <cstdint>
#include <fmt/format.h>
#include <string>

#include "cluster/host/processes.h"

namespace mcv::net::commands {

inline constexpr std::chrono::milliseconds deadline{10'000};

inline host::Command list_links() { return {{"ip", "-json", "-details", "address", "show"}, deadline, {}}; }
inline host::Command add_bridge(const std::string& name) { return {{"ip", "link", "add", "name", name, "type", "bridge"}, deadline, {}}; }
inline host::Command set_up(const std::string& name) { return {{"ip", "link", "set", "dev", name, "up"}, deadline, {}}; }
inline host::Command attach(const std::string& name, const std::string& bridge) {
  return {{"ip", "link", "set", "dev", name, "master", bridge}, deadline, {}};
}
inline host::Command add_tap(const std::string& name, std::uint32_t owner, bool vnet_header) {
  host::Command command{{"ip", "tuntap", "add", "dev", name, "mode", "tap", "user", fmt::format("{}", owner)}, deadline, {}};
  if (vnet_header) command.argv.push_back("vnet_hdr");
  return command;
}
inline host::Command remove(const std::string& name) { return {{"ip", "link", "delete", "dev", name}, deadline, {}}; }

}  // namespace mcv::net::commands
