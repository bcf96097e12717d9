// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/confirm_down.h"

#include <algorithm>
#include <fmt/format.h>

namespace mcv::authority {
namespace {

constexpr const char* nothing_changed = "nothing was changed; what is held stays held";

Status check_name(const ConfirmQuestion& question) {
  const Standpoint& standpoint = question.standpoint;
  if (standpoint.link == LinkState::uninitialised) {
    return Error(ErrorCode::not_initialised, fmt::format("{} is not initialised yet", standpoint.self.str())).with_safe(nothing_changed).with_next("hvctl node init --all");
  }
  if (standpoint.link == LinkState::single || standpoint.peer.empty()) {
    return Error(ErrorCode::not_found, fmt::format("{} is a cluster of one: there is no other node that could be down", standpoint.self.str()))
        .with_safe(nothing_changed)
        .with_next("hvctl info");
  }
  if (question.node == standpoint.peer.str()) return success();
  if (question.node == standpoint.self.str()) {
    return Error(ErrorCode::bad_request, fmt::format("{} is this node; the other one is {}", question.node, standpoint.peer.str())).with_safe(nothing_changed).with_next("hvctl info");
  }
  return Error(ErrorCode::not_found, fmt::format("there is no node named {}; the other node is {}", question.node, standpoint.peer.str()))
      .with_safe(nothing_changed)
      .with_next("hvctl node list");
}

Status check_link(const Standpoint& standpoint, const PathsToPeer& paths) {
  switch (standpoint.link) {
    case LinkState::diverged:
      // While it lives a person chooses. When it is lost for good its history is lost with it, and this one goes on.
      if (!answering_path(standpoint, paths)) return success();
      return Error(ErrorCode::diverged, fmt::format("{} is not down, and the nodes hold two different histories of the configuration", standpoint.peer.str())).with_safe(nothing_changed).with_next("hvctl cluster diverged shows both, and how one is chosen");
    case LinkState::removed:
      return Error(ErrorCode::no_authority, fmt::format("{} was removed from the cluster", standpoint.self.str())).with_safe(nothing_changed).with_next("hvctl info");
    case LinkState::failed:
      return Error(ErrorCode::io_error, "the store failed; nothing can be made durable").with_safe(nothing_changed).with_next("systemctl restart mcvd");
    default: return success();
  }
}

/// A machine that is going down decides nothing any more.
Status check_own_leave(const Standpoint& standpoint) {
  if (!is_leaving_now(standpoint)) return success();
  return may_open_replicated(standpoint, fmt::format("{} is not confirmed down", standpoint.peer.str()));
}

Error answers(const NodeName& peer, const std::string& how, const std::string& next) {
  return Error(ErrorCode::peer_answers, fmt::format("{} is not down: {}", peer.str(), how)).with_safe(nothing_changed).with_next(next);
}

Status check_paths(const Standpoint& standpoint, const PathsToPeer& paths) {
  const NodeName& peer = standpoint.peer;
  const std::string look = fmt::format("on {}: systemctl status mcvd corosync; hvctl info", peer.str());
  if (const auto path = answering_path(standpoint, paths)) {
    switch (*path) {
      case AnsweringPath::daemon: return answers(peer, "its mcvd is in contact", look);
      case AnsweringPath::peer_link: return answers(peer, "it answers on the daemons' link", look);
      case AnsweringPath::replication:
        return answers(peer, fmt::format("the replication of {} is connected", paths.connected.front().str()),
                       "hvctl drbd list; a node that lost its power is noticed within seconds: then the same command again");
      case AnsweringPath::corosync: return answers(peer, "its corosync answers", look);
    }
  }
  if (paths.in_membership) return success();
  return Error(ErrorCode::no_authority, fmt::format("whether corosync still sees {} cannot be told: corosync does not answer here", peer.str()))
      .with_safe(nothing_changed)
      .with_next("systemctl start corosync, then the same command again");
}

Status check_taken(const ConfirmQuestion& question) {
  if (!may_act_alone(question.standpoint)) return success();
  const auto has = [&](const VolumeName& volume) { return question.standpoint.ledger.went_on(question.standpoint.self, volume); };
  if (!std::all_of(question.covered.begin(), question.covered.end(), has)) return success();
  return Error(ErrorCode::authority_taken, fmt::format("{} was confirmed down already; {} decides alone until it is back", question.standpoint.peer.str(), question.standpoint.self.str()))
      .with_safe("nothing was changed")
      .with_next("hvctl vm list; hvctl vm start VM takes over a VM of the other node");
}

Status check_facts(const ConfirmQuestion& question) {
  if (asks_about_leave(question.standpoint)) {
    if (!question.facts || (question.facts->is_powered_off && question.facts->was_let_go_on)) return success();
    return Error(ErrorCode::not_confirmed, fmt::format("both facts have to be confirmed: {0} is powered off, and {0} was let go on when {1} left in order, so that what it wrote since is not here",
                                                       question.node, question.standpoint.self.str()))
        .with_safe(nothing_changed)
        .with_next(fmt::format("hvctl cluster confirm-down {}", question.node));
  }
  if (!question.facts || (question.facts->is_powered_off && question.facts->nobody_let_it_carry_on)) return success();
  return Error(ErrorCode::not_confirmed, fmt::format("both facts have to be confirmed: {} is powered off, and nobody let it carry on alone since the last contact", question.node))
      .with_safe(nothing_changed)
      .with_next(fmt::format("hvctl cluster confirm-down {}", question.node));
}

}  // namespace

bool asks_about_leave(const Standpoint& standpoint) { return is_away(standpoint) || decides_after_leave(standpoint); }

Status may_confirm_down(const ConfirmQuestion& question) {
  MCV_CHECK(check_name(question));
  MCV_CHECK(check_link(question.standpoint, question.paths));
  MCV_CHECK(check_own_leave(question.standpoint));
  MCV_CHECK(check_paths(question.standpoint, question.paths));
  MCV_CHECK(check_taken(question));
  return check_facts(question);
}

Coverage coverage(const Standpoint& standpoint, const ClusterState& state, const std::map<std::string, VolumeFacts>& here) {
  Coverage result;
  for (const VolumeRecord& volume : state.volumes()) {
    if (volume.kind != VolumeKind::drbd) continue;
    const auto found = here.find(volume.name.str());
    const VolumeFacts* facts = found == here.end() ? nullptr : &found->second;
    // Once alone, only what this node is writing to itself is added to: nobody's word covers what happened before it.
    Freshness reason = freshness(standpoint, volume.name, facts);
    if (reason == Freshness::not_covered) reason = freshness_by_word(standpoint, volume.name, facts);
    if (reason == Freshness::fresh) result.covered.push_back(volume.name);
    else result.left_out[volume.name] = reason;
  }
  return result;
}

std::string reason_text(const VolumeName& volume, const NodeName& peer, Freshness reason) {
  switch (reason) {
    case Freshness::fresh: return {};
    case Freshness::not_current: return fmt::format("{} stays closed: its copy here is not whole, or not attached", volume.str());
    case Freshness::peer_went_on: return fmt::format("{} stays closed: {} went on alone with it, and its writes had not all arrived here", volume.str(), peer.str());
    case Freshness::peer_may_have: return fmt::format("{} stays closed: {} went on alone before, and with what is not known here", volume.str(), peer.str());
    case Freshness::set_aside: return fmt::format("{} stays closed: {} went on with it without the copy here, which is older", volume.str(), peer.str());
    case Freshness::not_covered: return fmt::format("{} stays closed: nobody confirmed that its copy here is the last one", volume.str());
    case Freshness::peer_may_run_alone:
      return fmt::format("{} stays closed: the policy run-alone let {} go on with it alone, so its copy there may be newer", volume.str(), peer.str());
    case Freshness::left_here: return fmt::format("{} stays closed: {} was let go on with it when this node left, and the copies were not equal since", volume.str(), peer.str());
  }
  return {};
}

}  // namespace mcv::authority
