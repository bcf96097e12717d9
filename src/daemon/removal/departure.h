// SPDX-License-Identifier: Apache-2.0
// The leaver's side of a removal: it learns from the node that stays that it is no member any more, puts its copies aside and
// becomes blank. From the moment it knows it is passive: it opens nothing and starts nothing. Every part asks the machine and may be repeated, so that a
// crash at any point goes on at the next start.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>

#include "cluster/core/json.h"
#include "cluster/host/peer_network.h"
#include "cluster/host/wakeup.h"
#include "cluster/model/removal.h"

namespace mcv {

class Node;

class Departure {
 public:
  explicit Departure(Node& node);

  /// Reads what was written down before a restart. Before anything is started that a removed node does not start.
  boost::asio::awaitable<Status> load();
  /// Goes on with it, and asks the other node while there is no contact.
  void start();

  /// No member any more, and not blank yet.
  bool is_passive() const;
  /// Why nothing is opened or started; only while passive.
  Error refusal() const;

  /// What this node answers about membership: to a key it removed, and to the member that goes on without it.
  Json membership_of(const host::KeyFingerprint& caller) const;
  /// The remainder says so, over the pinned link. Returns when this node is blank; an error says what it waits for.
  boost::asio::awaitable<Status> finish(RemovedNode told);

 private:
  boost::asio::awaitable<void> run();
  boost::asio::awaitable<void> ask_the_other_node();
  boost::asio::awaitable<Status> write_down(RemovedNode told);
  boost::asio::awaitable<Status> become_blank();
  boost::asio::awaitable<Status> leave_group();
  boost::asio::awaitable<Status> put_copies_aside(OperationId removal);
  boost::asio::awaitable<Status> put_aside(VolumeRecord volume, OperationId removal);
  boost::asio::awaitable<Status> forget_cluster(NodeRecord own);
  boost::asio::awaitable<Status> finish_commit(RemovedNode peer);
  std::optional<RemovedNode> in_own_log() const;
  void wake();

  Node& node_;
  std::optional<RemovedNode> told_;   ///< written down
  bool under_way_ = false;
  std::string said_;
  host::Wakeup wakeup_;
};

}  // namespace mcv
