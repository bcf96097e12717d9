// SPDX-License-Identifier: Apache-2.0
// Bridges and guests' tap devices, as idempotent steps.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "cluster/core/result.h"
#include "cluster/host/host.h"
#include "net/links.h"

namespace mcv::net {

/// The bridge exists and is up; true when it was made. Lives until reboot: the daemon ensures it again at start (bridges.h).
/// With `uplink`, that device becomes a port of it, unless it carries addresses (taking it would cut the administrator
/// off): then `in_use`. Without, no device of the machine is touched. Nothing undoes a bridge: other guests may use it.
boost::asio::awaitable<Result<bool>> ensure_bridge(host::Host& host, std::string bridge, std::optional<std::string> uplink);
/// Only looks: whether ensure_bridge would make it, or why it would refuse.
boost::asio::awaitable<Result<bool>> would_make_bridge(host::Host& host, std::string bridge, std::optional<std::string> uplink);

struct Tap {
  std::string name;            ///< tap_name()
  std::string bridge;
  std::uint32_t owner = 0;     ///< user id that may open it: the VMM's
  bool vnet_header = true;     ///< both VMMs want it
};
/// A tap of that owner and kind, port of the bridge, up. One of other properties is replaced unless a VMM has it open
/// (then `in_use`). Undo: remove_tap. `not_found` when the bridge is missing.
boost::asio::awaitable<Status> ensure_tap(host::Host& host, Tap tap);
/// Success when it is gone. Only names made by tap_name().
boost::asio::awaitable<Status> remove_tap(host::Host& host, std::string name);

}  // namespace mcv::net
