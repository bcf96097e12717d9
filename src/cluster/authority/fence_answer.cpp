// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/fence_answer.h"

#include "cluster/authority/lost_leg.h"

namespace mcv::authority {

FenceAnswer answer_fence_peer(const Standpoint& standpoint, const VolumeName& volume, const VolumeFacts* facts) {
  if (!may_act_alone(standpoint) || freshness(standpoint, volume, facts) != Freshness::fresh) return FenceAnswer::hold;
  // The kernel thaws a held Primary on any reconnect: nobody goes on alone before the leg stands alone.
  if (facts->connection != ConnectionState::standalone) return FenceAnswer::hold;
  // With 5 the kernel looks at this disk once more by itself. After a reboot an unpromoted leg is only Consistent: there the
  // record is the only evidence.
  return facts->disk == DiskState::up_to_date ? FenceAnswer::peer_unreachable : FenceAnswer::peer_powered_off;
}

bool may_promote(const Standpoint& standpoint, const VolumeName& volume, const VolumeFacts* facts) {
  if (standpoint.consents.stands(standpoint.self, volume) && !standpoint.ledger.accepted(standpoint.self, volume)) return false;
  if (facts != nullptr && facts->connection == ConnectionState::connected) return newest_is_attached(standpoint, volume, facts).ok();
  if (may_run_alone(standpoint, volume, facts)) return true;
  // The other one was removed: there is nobody left whose copy could be newer.
  if (authority_over_peer(standpoint) == Authority::single) return true;
  const bool by_our_word = standpoint.link == LinkState::alone || standpoint.ledger.went_on(standpoint.self, volume);
  return !by_our_word || (may_act_alone(standpoint) && freshness(standpoint, volume, facts) == Freshness::fresh);
}

}  // namespace mcv::authority
