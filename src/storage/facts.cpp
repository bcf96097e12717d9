// SPDX-License-Identifier: Apache-2.0
#include "storage/facts.h"

#include "storage/lvm/pool.h"

namespace mcv::storage {

namespace asio = boost::asio;

asio::awaitable<Status> add_facts(host::Host& host, const drbd::DrbdMonitor& monitor, NodeFacts& facts) {
  MCV_CO_TRY(const std::vector<lvm::VolumeGroup> groups, co_await lvm::volume_groups(host));
  for (const lvm::VolumeGroup& group : groups) facts.volume_group_free[group.name] = group.free;
  if (!monitor.complete()) {
    co_return Error(ErrorCode::busy, "DRBD's state on this node is not known yet").with_next("drbdsetup events2 --now");
  }
  facts.volumes = monitor.volumes();
  co_return success();
}

}  // namespace mcv::storage
