// SPDX-License-Identifier: Apache-2.0
// A node leaves in order when its machine is shut down (DESIGN 5, consent (d)): it stops its guests, closes its disks, writes
// down that it left, and only then has both nodes commit it. From its own record on it starts nothing replicated, whatever
// it forgets in a crash, until both are in contact again; so whoever reads the entry may go on at any later time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/core/names.h"
#include "cluster/model/cluster_state.h"
#include "cluster/model/observation.h"
#include "cluster/store/node_records.h"

namespace mcv::authority {

struct Standpoint;

inline constexpr const char* leave_kind = "leave";
inline constexpr const char* leave_ended_kind = "leave-ended";

/// "This node left in order", a field of its shared node record: committed by both, it is that node's consent that the other
/// one goes on with these volumes.
struct LeftRecord {
  std::string id;                  ///< of the leaver's own record, which was durable before
  std::int64_t wall_seconds = 0;   ///< for people
  std::vector<VolumeName> volumes; ///< whose copy on the other node was current when this one had written for the last time

  Json to_json() const;
  static Result<LeftRecord> from_json(const Json& json);
  friend bool operator==(const LeftRecord&, const LeftRecord&) = default;
};
/// Of a shared node record; nothing while the node is a member like the other one.
std::optional<LeftRecord> left_in(const Json& node_record);
std::optional<LeftRecord> left(const ClusterState& state, const NodeName& node);

/// Node-owned, durable before it is said to anybody.
struct Leave {
  std::string id;
  std::string boot;               ///< of the leaver's kernel: the same one does not come back
  std::int64_t wall_seconds = 0;  ///< for people
  std::vector<VolumeName> volumes;

  LeftRecord entry() const { return {id, wall_seconds, volumes}; }
  Json to_json() const;
  static Result<Leave> from_json(const Json& json);
  friend bool operator==(const Leave&, const Leave&) = default;
};

/// Either end of a leave. Absence never means it.
Json leave_returned_to_json(const std::string& id, const std::string& why);
Json leave_equal_to_json(const std::string& id, const std::vector<VolumeName>& volumes);

/// This node's own records as one answer. A leave that cannot be read counts as standing, and as naming every volume.
class LeaveLedger {
 public:
  LeaveLedger() = default;
  LeaveLedger(const std::vector<NodeOwnedRecord>& leaves, const std::vector<NodeOwnedRecord>& ended);

  /// This node left and is not back; nullptr otherwise. The newest one.
  const Leave* standing() const;
  /// The other node was let go on with `volume`, and the copies were not equal since.
  bool bars(const VolumeName& volume) const;
  /// What is not equal yet, by leave.
  std::map<std::string, std::vector<VolumeName>> barred() const;

 private:
  struct Entry {
    Leave leave;
    bool readable = true;
    bool returned = false;
    std::vector<VolumeName> equal;
  };
  std::vector<Entry> entries_;
};

/// What a leave may name: closed here, and current on the other node, so that everything written here before is there. Connected,
/// that is seen; where only the copies have lost each other, it is a volume of the other node's VM, and by the rule of consent.h.
std::vector<VolumeName> may_be_left(const Standpoint& standpoint, const ClusterState& state, const std::map<std::string, VolumeFacts>& here);

/// "NODE left": refused when the other node left as well, so that one of the two may always go on.
Change left_change(const NodeName& self, const NodeName& peer, const Leave& leave);
/// "NODE is back": ends exactly the leave the entry is about.
Change back_change(const NodeName& self, const LeftRecord& left);

enum class ReturnStep {
  none,
  say_it,     ///< it is committed that this one is back: by both nodes, or by this one, which decides alone
  write_it,   ///< it has been: this node's own record ends
};
/// On the way back. Nothing in the boot that left; and nothing without contact, unless a person typed that the other node is lost
/// for good. An entry without a record ends as well.
ReturnStep next_return_step(const Standpoint& standpoint, const ClusterState& state);

/// Volumes of own leaves whose copies are equal again, or that are gone. Nothing while the daemons do not agree.
std::map<std::string, std::vector<VolumeName>> equal_again(const Standpoint& standpoint, const ClusterState& state, const std::map<std::string, VolumeFacts>& here);

/// The other node left, and its daemon is gone: this one may take a generation by that consent.
bool may_go_on_by_consent(const Standpoint& standpoint);
/// Whether the configuration still says that `peer` left: asked once more of what a generation begins with.
inline bool has_left(const ClusterState& state, const NodeName& peer) { return left(state, peer).has_value(); }
/// What this node's record has to name next, with authority by consent: fresh copies that it does not name yet.
std::vector<VolumeName> newly_covered(const Standpoint& standpoint, const std::map<std::string, VolumeFacts>& here);

/// This node left, by its own record or by the entry, and is not back.
bool is_away(const Standpoint& standpoint);
/// ... and its machine is still the one that is going down.
bool is_leaving_now(const Standpoint& standpoint);

/// Numbers of own records that say nothing any more: leaves that ended in both ways, and what ended them.
std::vector<std::uint64_t> ended_leaves(const std::vector<NodeOwnedRecord>& leaves, const std::vector<NodeOwnedRecord>& ended);
/// Whether this node may open a replicated volume for writing at all: not after it left.
Status may_open_replicated(const Standpoint& standpoint, const std::string& what);

}  // namespace mcv::authority
