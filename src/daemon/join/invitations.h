// SPDX-License-Identifier: Apache-2.0
// The one-time tokens of connect strings, and the key that redeemed one. In memory only: a restart of the daemon
// ends every invitation, which is the safe side.
#pragma once

#include <optional>
#include <string>

#include "cluster/host/clock.h"
#include "cluster/host/peer_network.h"
#include "cluster/host/random.h"

namespace mcv::join {

class Invitations {
 public:
  static constexpr std::chrono::minutes lifetime{15};

  Invitations(host::Clock& clock, host::Random& random) : clock_(clock), random_(random) {}

  /// A new token; an earlier one stops working.
  std::string issue();
  /// Binds the token to the first key that presents it; the same key may present it again while it lives.
  /// `permission_denied` otherwise.
  Status redeem(const std::string& token, const host::KeyFingerprint& caller);
  /// Whether this key redeemed a living invitation: it may run the steps of a join here, nothing else.
  bool admits(const host::KeyFingerprint& caller) const;
  void withdraw();

 private:
  struct Invitation {
    std::string token_hash;
    host::Instant expires;
    std::optional<host::KeyFingerprint> redeemed_by;
  };
  host::Clock& clock_;
  host::Random& random_;
  std::optional<Invitation> invitation_;
};

}  // namespace mcv::join
