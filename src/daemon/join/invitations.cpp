// SPDX-License-Identifier: Apache-2.0
#include "daemon/join/invitations.h"

#include "cluster/core/sha256.h"

namespace mcv::join {

std::string Invitations::issue() {
  std::string token = random_.hex(24);
  invitation_ = Invitation{sha256_hex(token), clock_.now() + lifetime, std::nullopt};
  return token;
}

Status Invitations::redeem(const std::string& token, const host::KeyFingerprint& caller) {
  const bool living = invitation_ && clock_.now() < invitation_->expires;
  // Hashes are compared, not tokens: the time a comparison takes tells nothing about the token.
  const bool right = living && invitation_->token_hash == sha256_hex(token);
  const bool taken = right && invitation_->redeemed_by && *invitation_->redeemed_by != caller;
  if (!right || taken) {
    return Error(ErrorCode::permission_denied, "the connect string is not valid any more")
        .with_safe("nothing was changed")
        .with_next("make a new one on the node to be added: hvctl cluster get-connect-string");
  }
  invitation_->redeemed_by = caller;
  return success();
}

bool Invitations::admits(const host::KeyFingerprint& caller) const {
  return invitation_ && clock_.now() < invitation_->expires && invitation_->redeemed_by == caller;
}

void Invitations::withdraw() { invitation_.reset(); }

}  // namespace mcv::join
