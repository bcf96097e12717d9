// SPDX-License-Identifier: Apache-2.0
// What is known of the other node: its daemon in the corosync group, and its daemon answering on the peer link. Neither
// says that the node is off (DESIGN 5).
#pragma once

#include <string>

#include "cluster/host/clock.h"

namespace mcv {

struct PeerStatus {
  bool in_group = false;   ///< member of the corosync group
  bool reachable = false;  ///< answered the last call on the peer link
  host::Instant since;     ///< of this combination
  friend bool operator==(const PeerStatus&, const PeerStatus&) = default;
};

/// Kept by the daemon: fed by SharedState::on_link and by the outcome of every peer call.
class PeerView {
 public:
  explicit PeerView(host::Instant now) { status_.since = now; }
  /// Both return whether something changed.
  bool group(bool in_group, host::Instant now);
  bool answered(bool reachable, host::Instant now);
  const PeerStatus& status() const { return status_; }
  /// "online", "daemon unreachable", "corosync down" or "offline": for tables.
  std::string text() const;

 private:
  bool change(PeerStatus next, host::Instant now);
  PeerStatus status_;
};

}  // namespace mcv
