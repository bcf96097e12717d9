// SPDX-License-Identifier: Apache-2.0
// The policy's effect: this node's own record, durable before anything goes on without the other copy. The edge around
// cluster/authority/peer_loss.h, which decides. Takes no operation's lock: the kernel asks inside our own promotions.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "cluster/core/names.h"
#include "cluster/core/result.h"

namespace mcv {

class Node;

class RunAlone {
 public:
  explicit RunAlone(Node& node) : node_(node) {}

  /// This node may go on alone with the volume, by policy, and its record says so durably. Refused (`no_authority`) otherwise,
  /// also when contact came while the record was written.
  boost::asio::awaitable<Status> write_down(VolumeName volume);
  /// The same for a leg that stands alone and whose writes are held; then they go on.
  boost::asio::awaitable<Status> resume(VolumeName volume);

 private:
  Status check(const VolumeName& volume) const;

  Node& node_;
};

}  // namespace mcv
