// SPDX-License-Identifier: Apache-2.0
#include "daemon/node/observer.h"

#include "daemon/node/pool_watch.h"
#include "hv/guest_manager.h"
#include "storage/drbd/monitor.h"
#include "storage/lvm/pool.h"
#include "storage/lvm/report.h"
#include "storage/lvm/room.h"

namespace mcv {

namespace asio = boost::asio;

asio::awaitable<Result<NodeFacts>> Observer::look(Look wanted) {
  NodeFacts facts;
  facts.name = self_;
  MCV_CO_CHECK(co_await look_at_machine(facts));
  if (wanted.volume_groups) {
    // A node without LVM is there all the same, and has none.
    Status seen = co_await look_at_storage(facts);
    if (!seen.ok()) facts.volume_groups_unknown = std::move(seen).error();
  }
  if (wanted.room && !facts.volume_groups_unknown) {
    MCV_CO_CHECK(co_await look_at_room(facts));
  }
  for (const std::string& path : wanted.files) {
    auto hash = co_await host_.files.sha256(path);
    if (hash.ok()) facts.files_sha256[path] = *hash;
    else if (hash.error().code() != ErrorCode::not_found) co_return std::move(hash).error();
  }
  // A hypervisor that was installed a minute ago counts.
  co_await guests_.refresh_installed();
  facts.vms = guests_.facts();
  facts.hypervisors = guests_.installed();
  facts.volumes = drbd_.volumes();
  facts.pools = pools_.seen();
  co_return facts;
}

asio::awaitable<Status> Observer::look_at_machine(NodeFacts& facts) {
  MCV_CO_TRY(const std::string memory, co_await host_.files.read("/proc/meminfo"));
  const MemoryInfo info = parse_meminfo(memory);
  facts.memory_total = info.total;
  facts.memory_available = info.available;
  MCV_CO_TRY(const std::string cpus, co_await host_.files.read("/proc/cpuinfo"));
  facts.cpus = parse_cpuinfo(cpus).count;
  MCV_CO_TRY(facts.kvm, co_await host_.files.exists("/dev/kvm"));
  MCV_CO_TRY(facts.bridges, co_await bridges());
  co_return success();
}

asio::awaitable<Result<std::vector<std::string>>> Observer::bridges() {
  std::vector<std::string> found;
  MCV_CO_TRY(const std::vector<std::string> links, co_await host_.files.list("/sys/class/net"));
  for (const std::string& link : links) {
    const std::string marker = "/sys/class/net/" + link + "/bridge";
    MCV_CO_TRY(const bool is_bridge, co_await host_.files.exists(marker));
    if (is_bridge) found.push_back(link);
  }
  co_return found;
}

asio::awaitable<Status> Observer::look_at_storage(NodeFacts& facts) {
  MCV_CO_TRY(const auto groups, co_await lvm::volume_groups(host_));
  for (const auto& group : groups) facts.volume_group_free[group.name] = group.free;
  co_return success();
}

asio::awaitable<Status> Observer::look_at_room(NodeFacts& facts) {
  MCV_CO_TRY(const std::vector<lvm::LogicalVolume> volumes, co_await lvm::logical_volumes(host_));
  lvm::add_room(facts, volumes);
  co_return success();
}

}  // namespace mcv
