// SPDX-License-Identifier: Apache-2.0
// A disk that the kernel gave up is attached again, and resynchronised by the kernel from there on. Idempotent, as volume_life.h.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "cluster/core/result.h"
#include "cluster/host/host.h"
#include "storage/drbd/monitor.h"

namespace mcv::drbd {

/// What a copy is taken from: the other leg, or nothing, where this one is the newest and the other one has no disk either.
enum class AttachBehind { peer, nobody };

/// Returns when this leg is a copy again: in step, being copied, or (behind nobody) current by itself. Needs a connection.
/// `not_found` when it is not in the kernel, `not_up_to_date` without a copy to follow, `io_error` when the kernel gives it up again.
boost::asio::awaitable<Status> ensure_attached(host::Host& host, DrbdMonitor& monitor, VolumeName volume, AttachBehind behind);

}  // namespace mcv::drbd
