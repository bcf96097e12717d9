// SPDX-License-Identifier: Apache-2.0
// "This node went on alone with these volumes": node-owned, durable before anything is thawed or promoted. As long as it
// stands, the writer's copy of a volume may be newer than the other one's. It is withdrawn by its writer alone, once both
// copies are equal, in a record of its own: an absent record must never look like a withdrawn one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/core/names.h"
#include "cluster/store/node_records.h"
#include "cluster/store/position.h"

namespace mcv::authority {

inline constexpr const char* alone_since_kind = "alone-since";
inline constexpr const char* alone_withdrawn_kind = "alone-withdrawn";

/// Causes that more than people read.
inline constexpr const char* cause_policy = "policy";      ///< no authority: it names no generation as taken
inline constexpr const char* cause_accepted = "accepted";  ///< a person typed that this copy is used although it may be older
/// DRBD gave the other copy's disk up. It names no generation, and lets its writer do nothing that it may not do without it: it only
/// says that the other copy is behind.
inline constexpr const char* cause_disk_lost = "disk-lost";

/// All volumes of one taking of authority are in one record, so in one transaction.
struct AloneSince {
  GenerationRef generation;    ///< taken by the writer; none for a disk that was lost
  std::uint64_t index = 0;     ///< of the log, when it was written
  std::string cause;           ///< "confirm-down", or why it names no volume
  std::string boot;            ///< of the writer's kernel; empty: the authority had ended before this was written
  std::string by;              ///< who typed what, for people
  std::vector<VolumeName> volumes;
  std::int64_t wall_seconds = 0;  ///< for people; 0: not known
  bool peer_may_run_alone = false; ///< the policy let the other node go on with its own volumes when the authority was taken
  bool after_leave = false;        ///< the writer had left in order and let the other node go on: no word covers any copy here

  Json to_json() const;
  static Result<AloneSince> from_json(const Json& json);
  friend bool operator==(const AloneSince&, const AloneSince&) = default;
};

/// Numbers of one node's own records that say nothing any more: whatever they named was withdrawn and no generation of `known` needs
/// them to be named, and withdrawals of nothing that is kept. For a moment when both nodes hold all of them and the same generations.
std::vector<std::uint64_t> ended_alone(const std::vector<NodeOwnedRecord>& since, const std::vector<NodeOwnedRecord>& withdrawn, const std::vector<GenerationRecord>& known);

Json withdrawal_to_json(const std::vector<VolumeName>& volumes);

/// Both nodes' records as one answer. A record that cannot be read counts as naming every volume of its writer.
class AloneLedger {
 public:
  AloneLedger() = default;
  AloneLedger(const std::vector<NodeOwnedRecord>& since, const std::vector<NodeOwnedRecord>& withdrawn);

  /// Whether `node` went on alone with `volume` and has not withdrawn it.
  bool stands(const NodeName& node, const VolumeName& volume) const;
  /// ... by a decision about the other node, not only because the other copy lost its disk.
  bool went_on(const NodeName& node, const VolumeName& volume) const;
  std::vector<VolumeName> standing(const NodeName& node) const;
  /// A standing record of `node` about `volume` that its kernel of now did not write.
  bool stands_from_another_boot(const NodeName& node, const VolumeName& volume, const std::string& boot) const;
  /// Whether a person of `node` accepted its copy, older or not, and the copies were not equal since.
  bool accepted(const NodeName& node, const VolumeName& volume) const;
  /// The newest standing record of `node` about `volume`; nullptr when there is none that can be read.
  const AloneSince* standing_record(const NodeName& node, const VolumeName& volume) const;
  /// Whether `node` ever named `volume`, withdrawn or not.
  bool ever_named(const NodeName& node, const VolumeName& volume) const;
  /// Whether the record of this generation of `node` is here at all. A record by policy is none: it took no generation.
  bool names(const NodeName& node, const GenerationRef& generation) const;
  /// The newest record of `node` about this generation; nullptr when there is none.
  const AloneSince* latest(const NodeName& node, const GenerationRef& generation) const;

 private:
  struct Entry {
    std::string node;
    std::string stream;
    std::uint64_t number = 0;
    AloneSince since;
    bool readable = true;
  };
  struct Withdrawn {
    std::string node;
    std::string stream;
    std::uint64_t number = 0;
    std::vector<VolumeName> volumes;
  };
  bool is_withdrawn(const Entry& entry, const VolumeName& volume) const;

  std::vector<Entry> entries_;
  std::vector<Withdrawn> withdrawn_;
};

}  // namespace mcv::authority
