// SPDX-License-Identifier: Apache-2.0
// Gathers what planners need to know about this node. Looks, changes nothing.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "cluster/host/host.h"
#include "cluster/model/observation.h"

namespace mcv {

namespace drbd {
class DrbdMonitor;
}
namespace hv {
class GuestManager;
}
class PoolWatch;

/// What is wanted beyond what is known without running a command.
struct Look {
  std::vector<std::string> files;  ///< boot files whose hashes are wanted; one that does not exist is absent from the facts
  bool volume_groups = false;      ///< their free space: costs a run of vgs, and without it the facts name none
  bool room = false;               ///< of thin pools, and what volumes hold: a run of lvs, likewise
};

class Observer {
 public:
  Observer(host::Host& host, NodeName self, const drbd::DrbdMonitor& drbd, hv::GuestManager& guests, const PoolWatch& pools)
      : host_(host), self_(std::move(self)), drbd_(drbd), guests_(guests), pools_(pools) {}

  boost::asio::awaitable<Result<NodeFacts>> look(Look wanted);

 private:
  boost::asio::awaitable<Status> look_at_machine(NodeFacts& facts);
  boost::asio::awaitable<Status> look_at_storage(NodeFacts& facts);
  boost::asio::awaitable<Status> look_at_room(NodeFacts& facts);
  boost::asio::awaitable<Result<std::vector<std::string>>> bridges();

  host::Host& host_;
  NodeName self_;
  const drbd::DrbdMonitor& drbd_;
  hv::GuestManager& guests_;
  const PoolWatch& pools_;
};

/// Pure: "MemTotal" and "MemAvailable" of /proc/meminfo, in bytes; zero when absent.
struct MemoryInfo {
  Bytes total;
  Bytes available;
};
MemoryInfo parse_meminfo(std::string_view text);

/// Pure: number of processors, first model name and flags of /proc/cpuinfo.
struct CpuInfo {
  std::uint32_t count = 0;
  std::string model;
  std::vector<std::string> flags;
};
CpuInfo parse_cpuinfo(std::string_view text);

}  // namespace mcv
