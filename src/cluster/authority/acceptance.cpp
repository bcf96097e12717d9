// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/acceptance.h"

#include <fmt/format.h>

#include "cluster/authority/confirm_down.h"
#include "cluster/authority/takeover.h"

namespace mcv::authority {
namespace {

constexpr const char* copies_unchanged = "nothing was changed; both copies are as they were";

Status check_authority(const Standpoint& standpoint, const VolumeName& volume) {
  MCV_CHECK(may_open_replicated(standpoint, fmt::format("the copy of {} here is not accepted", volume.str())));
  if (may_act_alone(standpoint)) return success();
  return Error(ErrorCode::no_authority, fmt::format("the copy of {} here is not accepted: this node does not decide alone, and {} has the other copy", volume.str(), standpoint.peer.str()))
      .with_safe(copies_unchanged)
      .with_next(deciding_command(standpoint));
}

}  // namespace

bool may_be_accepted(const VolumeFacts* facts) {
  return facts != nullptr && (facts->disk == DiskState::up_to_date || facts->disk == DiskState::consistent || facts->disk == DiskState::outdated);
}

Result<AcceptAnswer> may_accept_copy(const AcceptQuestion& question) {
  const Standpoint& standpoint = question.standpoint;
  const std::string& name = question.volume.str();
  MCV_TRY(VolumeRecord volume, question.state.volume(question.volume));
  if (volume.kind != VolumeKind::drbd) {
    return Error(ErrorCode::bad_request, fmt::format("{} is not replicated: there is one copy only", name)).with_safe(copies_unchanged).with_next(fmt::format("hvctl vm info {}", volume.vm.str()));
  }
  if (answering_path(standpoint, question.paths)) {
    return Error(ErrorCode::peer_answers, fmt::format("{} answers, and has the other copy of {}", standpoint.peer.str(), name))
        .with_safe(copies_unchanged)
        .with_next(fmt::format("on {}: hvctl info; hvctl drbd list", standpoint.peer.str()));
  }
  MCV_CHECK(check_authority(standpoint, question.volume));
  const Freshness now = freshness_alone(standpoint, question.volume, question.here);
  if (now == Freshness::fresh) {
    return Error(ErrorCode::already_exists, fmt::format("the copy of {} here is open already: nothing has to be accepted", name)).with_safe(copies_unchanged).with_next(fmt::format("hvctl vm start {}", volume.vm.str()));
  }
  if (!may_be_accepted(question.here)) {
    return Error(ErrorCode::not_up_to_date, fmt::format("the copy of {} here is not whole, or not attached: a guest would find half of its disk", name))
        .with_safe(copies_unchanged)
        .with_next(fmt::format("bring {} back, or restore {} from a backup; hvctl drbd list shows this copy", standpoint.peer.str(), volume.vm.str()));
  }
  return AcceptAnswer{std::move(volume), now};
}

std::string accept_command(const VolumeName& volume) { return fmt::format("hvctl cluster accept-copy {}", volume.str()); }

std::string known_limit(const VolumeName& volume, const NodeName& self, const NodeName& peer) {
  return fmt::format("{0} keeps its own record of {1} while it is off. Switched on while {2} is off, it can be told to start its own copy. When the two meet neither is "
                     "overwritten: both stand apart and hvctl info on both nodes names them (split brain).",
                     peer.str(), volume.str(), self.str());
}

bool has_two_copies(const Standpoint& standpoint, const VolumeName& volume, const VolumeFacts* here) {
  if (here != nullptr && here->connection == ConnectionState::connected) return false;
  const AloneLedger& ledger = standpoint.ledger;
  if (ledger.stands(standpoint.self, volume) && ledger.stands(standpoint.peer, volume)) return true;
  // Who went on by consent has no record of its own.
  return standpoint.link == LinkState::together && (ledger.accepted(standpoint.self, volume) || ledger.accepted(standpoint.peer, volume));
}

}  // namespace mcv::authority
