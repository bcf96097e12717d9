// SPDX-License-Identifier: Apache-2.0
// One side of a connected pair is copied over the other: by generations, so that the kernel itself knows the direction, after any
// crash too. Run on the source. Idempotent, as volume_life.h.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cluster/core/result.h"
#include "cluster/host/host.h"
#include "storage/drbd/monitor.h"

namespace mcv::drbd {

/// The current generation identifier of this leg, without the bit that says it is Primary. The leg must be attached.
boost::asio::awaitable<Result<std::string>> generation_of(host::Host& host, DrbdMonitor& monitor, VolumeName volume);

/// That one and what this copy went through before it, the newest first: every copy it was ever equal to is of one of them, as far as
/// DRBD remembers (four).
boost::asio::awaitable<Result<std::vector<std::string>>> generations_of(host::Host& host, DrbdMonitor& monitor, VolumeName volume);
/// Of a leg that is not attached, from its metadata. `metadata_missing` when there are none that could be read.
boost::asio::awaitable<Result<std::string>> generation_on_disk(host::Host& host, VolumeName volume, std::uint32_t minor, std::string meta_disk);

/// Leaves the peer in order: the kernel marks the Secondary's copy outdated and begins a new generation here, of which the marked
/// blocks are the difference. Needs a connected Primary whose generation is still `before`; success at once when it is another.
boost::asio::awaitable<Status> diverge_from_peer(host::Host& host, DrbdMonitor& monitor, VolumeName volume, std::string before);

/// After diverge_from_peer, before the connect: every block is copied, not only the marked ones. Where the connection is back already,
/// waits until the marked ones are copied, then begins with all.
boost::asio::awaitable<Status> mark_all(host::Host& host, DrbdMonitor& monitor, VolumeName volume);

/// The copy from here has begun, or is done. `timed_out` names what is seen instead.
boost::asio::awaitable<Status> wait_copying(DrbdMonitor& monitor, VolumeName volume, host::Duration bound);

struct CopyProgress {
  double percent = 0;
  std::uint64_t left_kib = 0;
  std::uint64_t kib_per_second = 0;
  bool connected = true;
};
struct CopyHooks {
  std::function<void(const CopyProgress&)> progress;
  std::function<bool()> interrupted;
};
/// Waits, as long as it takes, until both sides are up to date; on either node. `cancelled` when interrupted: the copy goes on.
/// `io_error` when DRBD gave one of the two disks up: nothing is copied any more.
boost::asio::awaitable<Status> follow_copy(host::Host& host, DrbdMonitor& monitor, VolumeName volume, CopyHooks hooks);

}  // namespace mcv::drbd
