// SPDX-License-Identifier: Apache-2.0
// What the procedures on one volume have in common: a fresh look at the kernel, and a tool's failure as an error.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string_view>

#include "cluster/host/host.h"
#include "storage/drbd/monitor.h"

namespace mcv::drbd {

/// The first identifier of metadata that nothing was ever written to.
inline constexpr std::string_view just_created = "0000000000000004:";

/// Fresh facts: after lost messages the next dump is waited for. nullopt: not configured in the kernel.
boost::asio::awaitable<Result<std::optional<ResourceFacts>>> look(DrbdMonitor& monitor, VolumeName volume);
/// Runs a tool whose failure is about `volume` (tool_errors.h).
boost::asio::awaitable<Status> run_tool(host::Host& host, VolumeName volume, host::Command command);
Error not_configured(const VolumeName& volume);

}  // namespace mcv::drbd
