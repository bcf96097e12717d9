// SPDX-License-Identifier: Apache-2.0
// Whom this node's corosync sees, whether or not an mcvd runs there.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <set>
#include <string_view>

#include "cluster/host/processes.h"

namespace mcv {

/// Pure: the node ids with "runtime.members.ID.status (str) = joined"; nullopt when the text names no member at all, for
/// this node is always one itself.
std::optional<std::set<std::uint32_t>> parse_ring_members(std::string_view text);
/// nullopt when corosync does not say.
boost::asio::awaitable<std::optional<std::set<std::uint32_t>>> ring_members(host::Processes& processes);

}  // namespace mcv
