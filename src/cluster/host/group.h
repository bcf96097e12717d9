// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "cluster/core/result.h"

namespace mcv::host {

using NodeId = std::uint32_t;  ///< corosync's nodeid: 1 or 2

struct GroupMessage {
  NodeId sender = 0;
  std::string bytes;
};
/// The members of the group now. A daemon that left is gone from the list; that its host is dead is never implied.
struct GroupMembership {
  std::vector<NodeId> members;
};
/// The connection to corosync ended; `join` again.
struct GroupLost {
  std::string reason;
};
using GroupEvent = std::variant<GroupMessage, GroupMembership, GroupLost>;

/// Totally ordered messages within a configuration (corosync CPG, agreed order). Delivery to oneself proves nothing
/// about the peer (reference: anchors 0.5), so acknowledgements are messages of their own.
class GroupChannel {
 public:
  virtual ~GroupChannel() = default;
  virtual boost::asio::awaitable<Status> join() = 0;
  /// At most 900 KiB. Retries while corosync asks to, within two seconds, then `unavailable`.
  virtual boost::asio::awaitable<Status> multicast(std::string bytes) = 0;
  /// In order. Cancellable.
  virtual boost::asio::awaitable<GroupEvent> next() = 0;
  /// Also from inside: a waiting `next` returns GroupLost. Nothing of the old connection is delivered afterwards.
  virtual void leave() = 0;
};

}  // namespace mcv::host
