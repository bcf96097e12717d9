// SPDX-License-Identifier: Apache-2.0
// The one reader of `drbdsetup events2` of a node. Survives its end and lost messages by reading a new dump.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "cluster/core/names.h"
#include "cluster/core/result.h"
#include "cluster/host/host.h"
#include "cluster/host/wakeup.h"
#include "storage/drbd/events.h"

namespace mcv::drbd {

/// Asked again after each change; nullptr = the kernel has no such resource.
using Condition = std::function<bool(const ResourceFacts*)>;

/// Loop thread only. Facts are as of the last event read, which the kernel sends at each state change.
class DrbdMonitor {
 public:
  explicit DrbdMonitor(host::Host& host);

  /// Reads until cancelled. Spawn it once in a TaskGroup; needs the module loaded (ensure_module).
  boost::asio::awaitable<void> run();

  /// False before the first dump and after lost messages: facts may then be missing, and wait_until waits.
  bool complete() const { return table_.complete(); }
  /// Readers (dumps) started: a caller that compared counters knows that some may have been missed.
  std::uint64_t dumps() const { return dumps_; }
  /// nullptr = not configured in the kernel. Valid until the next co_await.
  const ResourceFacts* find(const VolumeName& volume) const;
  /// Of mcv's volumes, by volume name.
  std::map<std::string, VolumeFacts> volumes() const;
  /// All resources of the kernel, foreign ones too.
  const std::map<std::string, ResourceFacts>& resources() const { return table_.resources(); }

  /// Returns when `condition` holds on complete facts. `timed_out` after `bound`; the text names what was seen last.
  boost::asio::awaitable<Result<ResourceFacts>> wait_until(VolumeName volume, Condition condition, host::Duration bound, std::string what);
  /// Returns at the next change or after `bound`; true for a change.
  boost::asio::awaitable<bool> wait_for_change(host::Duration bound);

 private:
  boost::asio::awaitable<void> read_once();

  host::Host& host_;
  EventTable table_;
  host::Wakeup changes_;
  std::uint64_t dumps_ = 0;
};

/// "Connected, Secondary/Primary, UpToDate/Inconsistent, SyncTarget": for people.
std::string describe(const ResourceFacts* resource);

}  // namespace mcv::drbd
