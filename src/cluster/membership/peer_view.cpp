// SPDX-License-Identifier: Apache-2.0
#include "cluster/membership/peer_view.h"

namespace mcv {

bool PeerView::change(PeerStatus next, host::Instant now) {
  if (next == status_) return false;
  status_ = next;
  status_.since = now;
  return true;
}

bool PeerView::group(bool in_group, host::Instant now) {
  PeerStatus next = status_;
  next.in_group = in_group;
  return change(next, now);
}

bool PeerView::answered(bool reachable, host::Instant now) {
  PeerStatus next = status_;
  next.reachable = reachable;
  return change(next, now);
}

std::string PeerView::text() const {
  if (status_.in_group) return status_.reachable ? "online" : "daemon unreachable";
  return status_.reachable ? "corosync down" : "offline";
}

}  // namespace mcv
