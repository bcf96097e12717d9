// SPDX-License-Identifier: Apache-2.0
// Runs a verify of one volume from this node and comes back with the verdict.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cluster/core/names.h"
#include "cluster/core/result.h"
#include "cluster/host/host.h"
#include "storage/drbd/monitor.h"
#include "storage/drbd/verification.h"

namespace mcv::drbd {

struct VerifyProgress {
  unsigned round = 0;        ///< 0 = the whole device, then re-checks
  double percent = 0;        ///< of this pass
  std::uint64_t kib_per_second = 0;
};
using ProgressCallback = std::function<void(const VerifyProgress&)>;

/// Differences were seen, before it is known how the run ends: what of them is located so far, perhaps nothing. The run waits
/// until the callback is through.
using DifferenceCallback = std::function<boost::asio::awaitable<void>(std::vector<SectorRange>)>;

/// What who asks is told, and may say. Any may be empty.
struct VerifyHooks {
  ProgressCallback progress;
  /// Within a second of DRBD's counting the first difference, and again when the whole device was compared: this process may
  /// end before the run.
  DifferenceCallback found;
  /// True: nobody wants to know any more. Looked at each second.
  std::function<bool()> interrupted;
};

/// The volume must be connected and UpToDate on both sides; the roles do not matter, and either node may run it.
/// Errors: `busy` (a verify or resync runs already: two would spoil each other), `not_up_to_date`, `not_found`. Everything
/// that goes wrong after the start is a VerifyResult with could_not_verify. Ends when DRBD makes no progress for five
/// minutes. Whatever it answers, the kernel compares no more; when the awaiting coroutine is cancelled it goes on: call
/// stop_verify.
boost::asio::awaitable<Result<VerifyResult>> run_verify(host::Host& host, DrbdMonitor& monitor, VolumeName volume, Verification::Settings settings,
                                                        VerifyHooks hooks);

/// Ends a running verify, whoever started it (if this node is the side that asks), and waits for its end. Success when none
/// runs.
boost::asio::awaitable<Status> stop_verify(host::Host& host, DrbdMonitor& monitor, VolumeName volume);

/// The verdict record of a finished run. Precondition: the outcome is clean or mismatch.
Verdict verdict_of(const VerifyResult& result, std::int64_t wall_seconds, const NodeName& node);

}  // namespace mcv::drbd
