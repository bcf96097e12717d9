// SPDX-License-Identifier: Apache-2.0
// Both sides of consent: what this node asks when its kernel lost the other copy, and what it does when it is asked. The edge
// around cluster/authority/consent, which decides. Takes no operation's lock: the kernel asks inside our own promotions.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <set>

#include "cluster/authority/consent.h"
#include "cluster/authority/fence_answer.h"
#include "cluster/host/host.h"

namespace mcv {

class Node;

class ConsentDesk {
 public:
  explicit ConsentDesk(Node& node) : node_(node) {}

  /// What the kernel is told: by this node's own authority at once, else by the other node's consent. Bounded below the
  /// helper's own bound; any doubt is `hold`.
  boost::asio::awaitable<authority::FenceAnswer> answer_kernel(VolumeName volume);
  /// The other node asks: its leg here is set aside, durably, before this succeeds.
  boost::asio::awaitable<Status> give(VolumeName volume, GenerationRef asked);
  /// What the kernel holds, and does not ask about any more, goes on: the leg is disconnected, so that no reconnect ends the
  /// consent unseen, the other node sets its own aside, and only then the I/O is resumed.
  boost::asio::awaitable<Status> go_on(VolumeName volume);
  /// Own consent that is over.
  boost::asio::awaitable<Status> withdraw();

  /// Whether the kernel has asked about this hold, and had its answer. `held` as of now.
  bool kernel_has_asked(const VolumeName& volume, bool held);

 private:
  boost::asio::awaitable<Status> ask(VolumeName volume);
  boost::asio::awaitable<void> ask_for(VolumeName volume, Status& answer);
  boost::asio::awaitable<void> wait_for_loss();
  Result<authority::ConsentStep> decide(const VolumeName& volume, const GenerationRef& asked) const;
  NodeName owner_of(const VolumeName& volume) const;

  Node& node_;
  std::multiset<VolumeName> asking_;
  std::map<VolumeName, host::Instant> held_since_;
};

}  // namespace mcv
