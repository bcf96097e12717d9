// SPDX-License-Identifier: Apache-2.0
// This node leaves in order because its machine is shut down: guests, disks, the consent, the legs. The edge around
// cluster/authority/leave.h, which decides. Every phase has its bound and none of them holds a shutdown up for good; what was
// not reached is not claimed.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/authority/leave.h"
#include "cluster/host/host.h"
#include "cluster/host/wakeup.h"

namespace mcv {

class Node;

class NodeLeave {
 public:
  explicit NodeLeave(Node& node);

  struct Report {
    bool left = false;                ///< both nodes know: the other one may go on
    std::vector<std::string> lines;   ///< what was done, a sentence each
  };
  /// Refused (`not_confirmed`) unless the machine is being shut down. Idempotent, also after this daemon was killed in the
  /// middle; a second call meanwhile waits for the first.
  boost::asio::awaitable<Result<Report>> run();

  /// Whoever starts a guest here or opens a replicated volume for writing holds one of these meanwhile: a leave waits for
  /// it. Refused (`no_authority`) once this node leaves, and for what is replicated until it is back.
  using Ticket = std::shared_ptr<void>;
  Result<Ticket> begin(const std::string& what, bool is_replicated);
  /// Legs are not brought up any more in this boot.
  bool keeps_closed() const;
  bool is_leaving() const { return leaving_; }

 private:
  struct Phase;

  boost::asio::awaitable<Status> check_shutting_down();
  boost::asio::awaitable<void> do_it();
  boost::asio::awaitable<void> stop_guests(host::Instant until);
  boost::asio::awaitable<void> stop_guest(VmName vm, host::Instant until, Ticket ticket);
  bool stands(const VmName& vm) const;
  boost::asio::awaitable<void> demote(VolumeName volume, Ticket ticket);
  boost::asio::awaitable<void> take_down(VolumeName volume, Ticket ticket);
  using EachVolume = boost::asio::awaitable<void> (NodeLeave::*)(VolumeName volume, Ticket ticket);
  boost::asio::awaitable<void> for_all_volumes(EachVolume each, host::Duration bound);
  boost::asio::awaitable<bool> wait_for(std::shared_ptr<Phase> phase, host::Duration bound);
  boost::asio::awaitable<void> consent();
  boost::asio::awaitable<Result<authority::Leave>> write_down();
  std::optional<std::string> obstacle() const;
  void say(std::string line);

  Node& node_;
  bool leaving_ = false;      ///< from the request on
  bool under_way_ = false;
  std::shared_ptr<Phase> starts_;  ///< tickets that are out
  host::Wakeup changed_;
  Report report_;
};

}  // namespace mcv
