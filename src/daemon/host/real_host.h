// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "cluster/host/host.h"
#include "daemon/host/blocking_pool.h"
#include "daemon/host/real_clock.h"
#include "daemon/host/real_files.h"
#include "daemon/host/real_peer_network.h"
#include "daemon/host/real_processes.h"
#include "daemon/host/real_random.h"
#include "daemon/host/real_unix_sockets.h"

namespace mcv::host {

/// Owns this machine's side of a Host. The store and the group channel are made by the caller, who knows whether there is a
/// cluster; both may use `pool()`.
class RealHost {
 public:
  /// Blocks (before the loop runs): reads the node's key, or makes it on the first start (directory 0700, file 0600). A
  /// key file that cannot be read is an error and never replaced, because the peer has pinned it.
  static Result<std::unique_ptr<RealHost>> make(boost::asio::any_io_executor loop, const std::string& key_file);

  Host host(Store& store, GroupChannel& group);
  BlockingPool& pool() { return pool_; }
  RealClock& clock() { return clock_; }
  RealFiles& files() { return files_; }
  RealProcesses& processes() { return processes_; }
  RealPeerNetwork& peers() { return *peers_; }
  /// Ends the peer listener and its calls. Await it before destruction.
  boost::asio::awaitable<void> stop();

 private:
  RealHost(boost::asio::any_io_executor loop, std::unique_ptr<RealPeerNetwork> peers);

  boost::asio::any_io_executor loop_;
  RealClock clock_;
  RealRandom random_;
  RealProcesses processes_;
  RealUnixSockets sockets_;
  std::unique_ptr<RealPeerNetwork> peers_;
  BlockingPool pool_;
  RealFiles files_;
};

/// Reads the key file, or makes key, file and directory.
Result<NodeKey> load_or_make_key(const std::string& path);

}  // namespace mcv::host
