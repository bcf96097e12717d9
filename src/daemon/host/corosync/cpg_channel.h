// SPDX-License-Identifier: Apache-2.0
// host::GroupChannel on corosync's closed process groups (libcpg), its descriptor watched by the loop.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "cluster/host/group.h"

namespace mcv::host {

/// Used on the loop's thread only. libcpg's calls are short exchanges with the local corosync over shared memory; the one
/// that may have to wait (TRY_AGAIN: corosync is forming a membership or its queue is full) is repeated with pauses that
/// grow from 1 ms to 50 ms, for two seconds at most, without blocking the loop.
/// `daemon_unreachable` = corosync is not there (or is going); `connection_lost` = not joined, or busy past the bound.
class CpgChannel : public GroupChannel {
 public:
  /// Every daemon of a cluster joins the same group; corosync's own key keeps strangers out.
  CpgChannel(boost::asio::any_io_executor executor, std::string group_name = "mcv");
  ~CpgChannel() override;
  CpgChannel(const CpgChannel&) = delete;
  CpgChannel& operator=(const CpgChannel&) = delete;

  boost::asio::awaitable<Status> join() override;
  boost::asio::awaitable<Status> multicast(std::string bytes) override;
  boost::asio::awaitable<GroupEvent> next() override;
  void leave() override;

 private:
  struct Connection;
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace mcv::host
