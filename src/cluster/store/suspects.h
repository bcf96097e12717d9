// SPDX-License-Identifier: Apache-2.0
// Verdict `suspect` (DESIGN 6): a verify found differences and did not end with a shared verdict. Node-owned, since it is
// written exactly when the other node may be gone; a later clean lifts it, and a later mismatch says the same for good.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/model/cluster_state.h"
#include "cluster/store/node_records.h"
#include "cluster/store/position.h"

namespace mcv {

inline constexpr const char* suspect_kind = "suspect";

struct Suspect {
  VolumeName volume;
  std::string vm_uuid;              ///< of its VM: another one may get the name, and with it the volume's, later
  LogStamp at;                      ///< the last committed entry when it was written
  std::int64_t wall_seconds = 0;    ///< for people
  std::string node;                 ///< the writer
  std::string reason;               ///< why the run did not end; empty while it goes on
  std::vector<SectorRange> ranges;  ///< what differed so far; empty: counted by DRBD, not yet located

  Json to_json() const;
  /// Needs the volume's name and its place in the log: without either, nobody could tell when it is lifted.
  static Result<Suspect> from_json(const Json& json);
  friend bool operator==(const Suspect&, const Suspect&) = default;
};

LogStamp stamp_of(const Position& position);

/// Whether `suspect` still says something that the shared verdict of its volume does not.
bool stands(const Suspect& suspect, const ClusterState& state);

/// Both nodes' records as one answer.
class SuspectLedger {
 public:
  SuspectLedger(const ClusterState& state, const std::vector<NodeOwnedRecord>& records);

  /// The latest that stands; nullptr when none does.
  const Suspect* find(const VolumeName& volume) const;

 private:
  std::map<VolumeName, Suspect> standing_;
};

/// What this build cannot read (damaged, or written by a later one). Each may speak of any replicated volume.
std::vector<NodeOwnedRecord> unreadable(const std::vector<NodeOwnedRecord>& records);
/// Such a record as a suspicion of `volume` that a verdict after `first_seen` lifts; nothing when it is lifted.
std::optional<Suspect> doubt(const NodeOwnedRecord& record, const VolumeName& volume, const LogStamp& first_seen, const ClusterState& state);
/// Whether every replicated volume got a verdict since `first_seen`.
bool is_settled(const LogStamp& first_seen, const ClusterState& state);

/// The numbers of those readable records that stand for nothing any more.
std::vector<std::uint64_t> spent(const ClusterState& state, const std::vector<NodeOwnedRecord>& records);

}  // namespace mcv
