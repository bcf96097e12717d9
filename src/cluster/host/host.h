// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <string>

#include "cluster/host/clock.h"
#include "cluster/host/files.h"
#include "cluster/host/group.h"
#include "cluster/host/peer_network.h"
#include "cluster/host/processes.h"
#include "cluster/host/random.h"
#include "cluster/host/store.h"
#include "cluster/host/streams.h"

namespace mcv::host {

/// Everything a node may do to the world. The only code that touches a machine is behind these references:
/// production builds one Host from src/daemon/host, the simulator builds two from tests/sim.
struct Host {
  boost::asio::any_io_executor executor;
  Clock& clock;
  Random& random;
  Processes& processes;
  Files& files;
  Store& store;
  UnixSockets& sockets;
  PeerNetwork& peers;
  GroupChannel& group;
  std::string hostname;  ///< uname -n: DRBD requires the node name to equal it
};

}  // namespace mcv::host
