// SPDX-License-Identifier: Apache-2.0
// What a node knows when it asks itself whether it may decide alone, and on which data. Two questions: authority over the
// other node, and freshness per volume. Proof of the one never answers the other (DESIGN 5).
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/authority/alone_since.h"
#include "cluster/authority/consent.h"
#include "cluster/authority/leave.h"
#include "cluster/authority/peer_loss.h"
#include "cluster/model/observation.h"
#include "cluster/store/position.h"

namespace mcv::authority {

/// Durable facts of this node and its link, as of one look.
struct Standpoint {
  NodeName self;
  NodeName peer;                              ///< empty in a cluster of one
  LinkState link = LinkState::uninitialised;
  bool peer_in_group = false;                 ///< its daemon is in the corosync group
  std::vector<GenerationRecord> generations;
  AloneLedger ledger;
  ConsentLedger consents;
  std::string boot;                           ///< of this kernel; empty when it could not be read
  std::optional<LeftRecord> peer_left;        ///< the other node's consent, as a generation of now would find it
  LeaveLedger own_leave;                      ///< consent of this node: its own records
  std::optional<LeftRecord> own_left;         ///< ... and the entry about it, as the other node may hold it
  PeerLossView peer_loss;
  /// Replicated volumes of VMs that are this node's, whichever of two changes is committed. Not filled in while the policy is
  /// freeze for certain: nobody asks.
  std::set<VolumeName> own_volumes;
};

enum class Authority {
  none,      ///< nothing proves that the other node is off: what is held stays held
  single,    ///< a cluster of one
  earlier,   ///< taken before this node was booted: the other one may have been switched on since
  by_word,   ///< an operator typed that the other node is off, since this node was booted, and there was no contact since
  by_consent,  ///< the other node left in order and is not back: it starts nothing replicated, also after a reboot of either
};
std::string_view to_text(Authority authority);
Authority authority_over_peer(const Standpoint& standpoint);
/// Authority that a thaw, a promotion or a takeover may stand on.
bool may_act_alone(const Standpoint& standpoint);

enum class Freshness {
  fresh,
  not_current,      ///< this leg is not whole, or not known
  peer_went_on,     ///< the other node went on alone with it, and what it wrote has not all arrived here
  peer_may_have,    ///< the other node took a generation, and with which volumes it went on is not known here
  not_covered,      ///< nobody said that this copy is the last one
  set_aside,        ///< the other node went on with it by this node's consent
  peer_may_run_alone,  ///< the other node's VM, and the policy lets it go on by itself: no word covers that
  left_here,        ///< this node left and let the other one go on, and the copies were not equal since
};
std::string_view to_text(Freshness freshness);

/// Whether this copy may be written to without the other node, by what is on this node's disk: its own alone-since.
Freshness freshness(const Standpoint& standpoint, const VolumeName& volume, const VolumeFacts* facts);
/// Whether the two facts an operator types make this copy the last one: the other node is off, and nobody let it carry on
/// alone since the last contact. They say nothing of what it did before that contact, nor of what it did by policy.
Freshness freshness_by_word(const Standpoint& standpoint, const VolumeName& volume, const VolumeFacts* facts);

/// Why a copy is closed to a node that decides alone, as exactly as it is known.
Freshness freshness_alone(const Standpoint& standpoint, const VolumeName& volume, const VolumeFacts* facts);

/// Whether the other node's leave makes this copy the last one: it names the volume, and nothing was written there since.
Freshness freshness_by_consent(const Standpoint& standpoint, const VolumeName& volume, const VolumeFacts* facts);

/// Whether the other node may go on with its own VMs by policy, as it is now or was when this node took the generation it
/// decides alone in: a change of the policy made alone changes nothing of what the other node did before.
bool policy_lets_peer_run_alone(const Standpoint& standpoint);

/// Whether this node decides alone although it had left in order: a person typed that the other one is lost for good. What that one
/// wrote since is not here, so no word covers a copy.
bool decides_after_leave(const Standpoint& standpoint);

/// Whether this node goes on with one of two histories, on the word that the other node, which has the other one, is lost (or would,
/// should that be typed now). That one went on by itself before, with what is not known here, so no word covers a copy.
bool stands_apart(const Standpoint& standpoint);

/// Whether the last generation was taken by the other node: what it recorded since was decided without this one.
bool peer_decided_last(const Standpoint& standpoint);

}  // namespace mcv::authority
