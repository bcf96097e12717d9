// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/standpoint.h"

#include <algorithm>

#include "cluster/authority/acceptance.h"

namespace mcv::authority {
namespace {

/// The first generation of a configuration was taken against nobody.
bool is_first(const GenerationRecord& record) { return record.ref.counter <= 1; }

bool is_whole(const VolumeFacts* facts) {
  return facts != nullptr && (facts->disk == DiskState::up_to_date || facts->disk == DiskState::consistent);
}

/// The kernel marked a whole copy as older, and no record says why: at an orderly shutdown it does that to the copy that is taken down.
Freshness why_older(const Standpoint& standpoint) { return is_away(standpoint) || decides_after_leave(standpoint) ? Freshness::left_here : Freshness::not_current; }

/// The other node took it, and its record of the volumes it went on with never arrived.
bool has_unknown_volumes(const Standpoint& standpoint, const GenerationRecord& record) {
  return !is_first(record) && record.taken_by != standpoint.self.str() && !standpoint.ledger.names(NodeName::trusted(record.taken_by), record.ref);
}

}  // namespace

std::string_view to_text(Authority authority) {
  switch (authority) {
    case Authority::none: return "none";
    case Authority::single: return "single";
    case Authority::earlier: return "earlier";
    case Authority::by_word: return "by-word";
    case Authority::by_consent: return "by-consent";
  }
  return "none";
}

Authority authority_over_peer(const Standpoint& standpoint) {
  if (standpoint.link == LinkState::single) return Authority::single;
  if (is_away(standpoint)) return Authority::none;
  if (standpoint.link != LinkState::alone || standpoint.peer_in_group || standpoint.generations.empty()) return Authority::none;
  const GenerationRecord& last = standpoint.generations.back();
  if (last.taken_by != standpoint.self.str()) return Authority::none;
  // It cannot come back without an entry that this node has acknowledged: a reboot changes nothing.
  if (standpoint.peer_left) return Authority::by_consent;
  const AloneSince* record = standpoint.ledger.latest(standpoint.self, last.ref);
  if (record == nullptr || standpoint.boot.empty() || record->boot != standpoint.boot) return Authority::earlier;
  return Authority::by_word;
}

bool may_act_alone(const Standpoint& standpoint) {
  const Authority authority = authority_over_peer(standpoint);
  return authority == Authority::by_word || authority == Authority::by_consent;
}

std::string_view to_text(Freshness freshness) {
  switch (freshness) {
    case Freshness::fresh: return "fresh";
    case Freshness::not_current: return "not-current";
    case Freshness::peer_went_on: return "peer-went-on";
    case Freshness::peer_may_have: return "peer-may-have-gone-on";
    case Freshness::not_covered: return "not-covered";
    case Freshness::set_aside: return "set-aside";
    case Freshness::peer_may_run_alone: return "peer-may-run-alone";
    case Freshness::left_here: return "left-here";
  }
  return "not-covered";
}

Freshness freshness(const Standpoint& standpoint, const VolumeName& volume, const VolumeFacts* facts) {
  // Whatever else is known of it, a person chose this copy. One that is not whole nobody can choose.
  if (standpoint.ledger.accepted(standpoint.self, volume)) return may_be_accepted(facts) ? Freshness::fresh : Freshness::not_current;
  if (standpoint.consents.stands(standpoint.self, volume)) return Freshness::set_aside;
  if (!may_be_accepted(facts)) return Freshness::not_current;
  if (standpoint.ledger.stands(standpoint.peer, volume)) return Freshness::peer_went_on;
  if (standpoint.own_leave.bars(volume)) return Freshness::left_here;
  if (!is_whole(facts)) return why_older(standpoint);
  return standpoint.ledger.went_on(standpoint.self, volume) ? Freshness::fresh : Freshness::not_covered;
}

namespace {

/// What speaks against a copy before the last contact.
Freshness freshness_before(const Standpoint& standpoint, const VolumeName& volume, const VolumeFacts* facts) {
  if (standpoint.consents.stands(standpoint.self, volume)) return Freshness::set_aside;
  if (!may_be_accepted(facts)) return Freshness::not_current;
  if (standpoint.ledger.stands(standpoint.peer, volume)) return Freshness::peer_went_on;
  if (standpoint.own_leave.bars(volume)) return Freshness::left_here;
  if (!is_whole(facts)) return why_older(standpoint);
  const auto& generations = standpoint.generations;
  const bool unknown = std::any_of(generations.begin(), generations.end(), [&](const GenerationRecord& record) { return has_unknown_volumes(standpoint, record); });
  return unknown ? Freshness::peer_may_have : Freshness::fresh;
}

}  // namespace

Freshness freshness_by_word(const Standpoint& standpoint, const VolumeName& volume, const VolumeFacts* facts) {
  const Freshness before = freshness_before(standpoint, volume, facts);
  // Also of a volume that the leave did not name: whoever was told that this node left may have gone on with it.
  if (before == Freshness::fresh && (is_away(standpoint) || decides_after_leave(standpoint))) return Freshness::left_here;
  if (before == Freshness::fresh && stands_apart(standpoint)) return Freshness::peer_may_have;
  return before == Freshness::fresh && policy_lets_peer_run_alone(standpoint) && !standpoint.own_volumes.contains(volume) ? Freshness::peer_may_run_alone : before;
}

Freshness freshness_alone(const Standpoint& standpoint, const VolumeName& volume, const VolumeFacts* facts) {
  const Freshness now = freshness(standpoint, volume, facts);
  if (now != Freshness::not_covered) return now;
  const Freshness by_word = freshness_by_word(standpoint, volume, facts);
  return by_word == Freshness::fresh ? now : by_word;
}

Freshness freshness_by_consent(const Standpoint& standpoint, const VolumeName& volume, const VolumeFacts* facts) {
  const bool named = standpoint.peer_left && std::find(standpoint.peer_left->volumes.begin(), standpoint.peer_left->volumes.end(), volume) != standpoint.peer_left->volumes.end();
  return named ? freshness_before(standpoint, volume, facts) : Freshness::not_covered;
}

namespace {

/// This node's record of the generation it decides alone in; nullptr while it does not.
const AloneSince* record_of_now(const Standpoint& standpoint) {
  if (standpoint.link != LinkState::alone || standpoint.generations.empty()) return nullptr;
  return standpoint.ledger.latest(standpoint.self, standpoint.generations.back().ref);
}

}  // namespace

bool policy_lets_peer_run_alone(const Standpoint& standpoint) {
  if (standpoint.peer_loss.at_peer == PeerLoss::run_alone) return true;
  const AloneSince* taken = record_of_now(standpoint);
  return taken != nullptr && taken->peer_may_run_alone;
}

bool decides_after_leave(const Standpoint& standpoint) {
  const AloneSince* taken = record_of_now(standpoint);
  return taken != nullptr && taken->after_leave;
}

bool stands_apart(const Standpoint& standpoint) {
  if (standpoint.link == LinkState::diverged) return true;
  return standpoint.link == LinkState::alone && !standpoint.generations.empty() && standpoint.generations.back().apart_from.has_value();
}

bool peer_decided_last(const Standpoint& standpoint) {
  return !standpoint.generations.empty() && !is_first(standpoint.generations.back()) && standpoint.generations.back().taken_by != standpoint.self.str();
}

}  // namespace mcv::authority
