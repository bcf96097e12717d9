// SPDX-License-Identifier: Apache-2.0
// From two legs to one and back, under a guest that writes: the remainder after the other node was removed. Idempotent steps
// like those of volume_life.h.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "cluster/core/result.h"
#include "cluster/host/host.h"
#include "storage/drbd/monitor.h"
#include "storage/drbd/resource_file.h"

namespace mcv::drbd {

/// This leg is all there is of the volume: nobody is fenced any more, the connection is gone, held writes go on, and so it stays
/// after a reboot. In this order, so that no write is held on the way. A leg that was attached in doubt is taken down: the caller brings it up
/// again. Only when nobody can go on with another copy. `config`
/// names this node's leg alone.
boost::asio::awaitable<Status> ensure_lone(host::Host& host, DrbdMonitor& monitor, ResourceConfig config);

/// The file names both legs and fencing is on again; not connected yet. Refused (`not_up_to_date`) where this leg is not the
/// good one: not whole, or with metadata that was just created, which would make it the target of the copy.
boost::asio::awaitable<Status> ensure_paired(host::Host& host, DrbdMonitor& monitor, ResourceConfig config);

}  // namespace mcv::drbd
