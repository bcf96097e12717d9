// SPDX-License-Identifier: Apache-2.0
// Consent, per volume: only the replication link is lost, and the node whose copy nobody writes to lets the other one go on
// without it. Node-owned, durable before it is given. As long as it stands, its giver's copy may be the older one: it opens it
// for nobody until both copies are equal again.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cluster/core/names.h"
#include "cluster/core/result.h"
#include "cluster/model/cluster_state.h"
#include "cluster/model/observation.h"
#include "cluster/store/node_records.h"
#include "cluster/store/position.h"

namespace mcv::authority {

struct Standpoint;

inline constexpr const char* consent_kind = "consent";
inline constexpr const char* consent_withdrawn_kind = "consent-withdrawn";

struct Consent {
  VolumeName volume;
  NodeName to;               ///< who goes on
  GenerationRef generation;  ///< both agreed on it
  std::uint64_t index = 0;   ///< of the giver's log
  std::string boot;          ///< of the giver's kernel; for people
  std::string cause = {};    ///< "disk-lost": nobody asked, DRBD gave this disk up; for people

  Json to_json() const;
  static Result<Consent> from_json(const Json& json);
  friend bool operator==(const Consent&, const Consent&) = default;
};

/// Both nodes' records as one answer. A record that cannot be read counts as naming every volume.
class ConsentLedger {
 public:
  ConsentLedger() = default;
  ConsentLedger(const std::vector<NodeOwnedRecord>& given, const std::vector<NodeOwnedRecord>& withdrawn);

  /// Whether `giver` let the other node go on with `volume`, and its copy was not equal since.
  bool stands(const NodeName& giver, const VolumeName& volume) const;
  std::vector<VolumeName> standing(const NodeName& giver) const;

 private:
  struct Entry {
    std::string node, stream;
    std::uint64_t number = 0;
    Consent consent;
    bool readable = true;
  };
  struct Withdrawn {
    std::string node, stream;
    std::uint64_t number = 0;
    std::vector<std::string> volumes;
  };
  bool is_withdrawn(const Entry& entry, const VolumeName& volume) const;

  std::vector<Entry> entries_;
  std::vector<Withdrawn> withdrawn_;
};

/// Whether this node may ask for it: its own VM, a copy that is current as far as it knows, both daemons in agreement. The
/// connection is not looked at. Success, or why not.
Status may_ask_for_consent(const Standpoint& standpoint, const VolumeName& volume, const NodeName& owner, const VolumeFacts* here);

/// The copy here is not, and cannot be, newer than the other node's: what this node's records and its kernel know.
/// `not_up_to_date` with the reason otherwise.
Status check_not_newer(const Standpoint& standpoint, const VolumeName& volume, const VolumeFacts& here);

enum class ConsentStep {
  wait,           ///< this kernel has not noticed the loss: it would refuse
  outdate,        ///< the record, then the kernel's own mark
  already_older,  ///< the record; the kernel opens this leg for nobody as it is
  no_disk,        ///< the record, which stands already: DRBD gave this disk up, so there is nothing that could be marked
};

struct ConsentQuestion {
  const Standpoint& standpoint;  ///< of the node that is asked
  VolumeName volume;
  NodeName owner;                ///< of its VM, as this node has it
  GenerationRef agreed;          ///< of this node's log
  GenerationRef asked;           ///< of the log of who asks
  const VolumeFacts* here = nullptr;
  bool asks_itself = false;      ///< this node's kernel asks about the same volume
};

/// What the asked node does, or why it does not consent: `no_authority`, `peer_is_primary`, `not_up_to_date`, `not_found`.
Result<ConsentStep> may_consent(const ConsentQuestion& question);
/// After the record and the kernel's mark: nobody can write to this leg, as the kernel says. Without a disk it has none to write to.
bool is_set_aside(const VolumeFacts* here);

/// Own consent that is over: both copies are equal, or the volume is gone.
std::vector<VolumeName> consent_to_withdraw(const Standpoint& standpoint, const ClusterState& state, const std::map<std::string, VolumeFacts>& here);

/// Numbers of one node's records that say nothing any more: consents that were withdrawn, and their withdrawals with the last one.
std::vector<std::uint64_t> ended_consents(const std::vector<NodeOwnedRecord>& given, const std::vector<NodeOwnedRecord>& withdrawn);

/// Why a volume that this node set aside is not opened here.
Error set_aside_error(const VolumeName& volume, const NodeName& peer);

}  // namespace mcv::authority
