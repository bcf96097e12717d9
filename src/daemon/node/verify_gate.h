// SPDX-License-Identifier: Apache-2.0
// The one place that answers "is this volume suspect?", for every route and action, and that keeps the records behind it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "cluster/host/host.h"
#include "cluster/store/shared_state.h"
#include "cluster/store/suspects.h"

namespace mcv {

class VerifyGate {
 public:
  VerifyGate(host::Clock& clock, SharedState& shared, NodeRecords& records) : clock_(clock), shared_(shared), records_(records) {}

  /// Differences were seen: closed at once, and durable here when it returns success. An error (disk full) leaves it closed
  /// until the daemon ends. `reason` is empty while the run goes on.
  boost::asio::awaitable<Status> close(VolumeRecord volume, std::vector<SectorRange> ranges, std::string reason);
  /// Looks for records that cannot be read: at the daemon's start and when records arrived. What is verified afterwards counts.
  void notice() const;
  /// Takes own records away that a shared verdict has overtaken. What fails is tried again the next time.
  boost::asio::awaitable<void> tidy();

  /// A record that cannot be read closes the gate of every replicated volume, until each was verified after this daemon
  /// first saw it.
  std::optional<Suspect> find(const VolumeName& volume) const;
  bool is_suspect(const VolumeName& volume) const { return find(volume).has_value(); }
  /// For the pure checks. Valid as long as this object is.
  std::function<bool(const VolumeName&)> suspects() const;

 private:
  /// Where the log stood when this daemon first saw a record it cannot read: after a restart later, never earlier.
  LogStamp first_seen(const NodeOwnedRecord& record) const;

  host::Clock& clock_;
  SharedState& shared_;
  NodeRecords& records_;
  std::map<VolumeName, Suspect> unwritten_;  ///< where the store took no record
  mutable std::map<std::tuple<std::string, std::string, std::uint64_t>, LogStamp> unreadable_since_;  ///< node, stream, number
};

}  // namespace mcv
