// SPDX-License-Identifier: Apache-2.0
// Writes down, on both nodes, that DRBD gave a disk up and that its copy is behind from then on (cluster/authority/lost_leg). At once
// and by itself: what is written between the loss and the record is the one thing that nobody could know of after a crash of both.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <set>

#include "cluster/core/names.h"
#include "cluster/core/result.h"
#include "cluster/store/mailbox.h"

namespace mcv {

class Node;

class LostDisks {
 public:
  explicit LostDisks(Node& node);

  /// After the store and the records were loaded, before the first leg is brought up.
  void start();
  /// Something changed. From the loop's thread.
  void look_soon();

 private:
  boost::asio::awaitable<void> run();
  boost::asio::awaitable<void> watch_drbd();
  boost::asio::awaitable<void> retry();
  boost::asio::awaitable<Status> look();
  boost::asio::awaitable<Status> set_aside(VolumeName volume);
  boost::asio::awaitable<Status> keep(VolumeName volume);
  void tell();

  Node& node_;
  Mailbox<bool> wake_;
  bool woken_ = false;
  std::set<VolumeName> told_;  ///< lost, as the journal was told
};

}  // namespace mcv
