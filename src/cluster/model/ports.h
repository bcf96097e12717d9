// SPDX-License-Identifier: Apache-2.0
// What the two nodes must reach of each other, beside the daemon's own port, which is configured (NodeRecord::peer_port).
#pragma once

#include <cstdint>

namespace mcv {

/// Volumes at most, each with a port of its own counted from the first: they end below the daemon's default, 8801.
constexpr std::uint32_t drbd_volume_limit = 900;
constexpr std::uint16_t first_drbd_port = 7900;
constexpr std::uint16_t last_drbd_port = first_drbd_port + drbd_volume_limit - 1;
/// Corosync's own default, which our corosync.conf leaves alone. UDP.
constexpr std::uint16_t corosync_port = 5405;

}  // namespace mcv
