// SPDX-License-Identifier: Apache-2.0
// What this node tells another one before a join.
#include <algorithm>

#include "cluster/membership/corosync_config.h"
#include "cluster/store/abilities.h"
#include "daemon/node/node.h"
#include "net/links.h"
#include "storage/drbd/volume_life.h"
#include "storage/drbd/resource_file.h"
#include "storage/lvm/pool.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

/// Neither ours nor the example in Debian's package (one node on the loopback address).
bool is_foreign_corosync(const std::string& conf) {
  const bool ours = conf.find("cluster_name: mcv") != std::string::npos;
  const bool example = conf.find("ring0_addr: 127.0.0.1") != std::string::npos;
  return !ours && !example && conf.find("totem") != std::string::npos;
}

}  // namespace

asio::awaitable<Result<join::JoinFacts>> Node::join_facts() {
  join::JoinFacts facts;
  MCV_CO_TRY(facts.node, own_record());
  const ClusterState& state = shared.current();
  facts.version = settings.version;
  facts.format = settings.abilities.format;
  facts.written_format = format_of(state);
  facts.wall_seconds = host.clock.wall_seconds();
  facts.in_cluster = state.is_cluster();
  facts.own_objects = join::own_objects(state);
  auto corosync = co_await host.files.read(std::string(corosync_conf_path));
  facts.foreign_corosync = corosync.ok() && is_foreign_corosync(*corosync);
  // No module is a fact of the table, not an error of the question.
  auto drbd_ready = co_await ensure_drbd();
  auto version = co_await host.files.read("/sys/module/drbd/version");
  if (version.ok()) facts.drbd_version = version->substr(0, version->find('\n'));
  if (drbd_ready.ok()) {
    for (const auto& [resource, seen] : drbd.resources()) {
      if (!drbd::volume_of_resource(resource).ok()) facts.foreign_drbd.push_back(resource);
    }
  }
  MCV_CO_TRY(const std::string cpus, co_await host.files.read("/proc/cpuinfo"));
  CpuInfo cpu = parse_cpuinfo(cpus);
  facts.cpu_model = std::move(cpu.model);
  facts.cpu_flags = std::move(cpu.flags);
  MCV_CO_TRY(const std::vector<net::Link> links, co_await net::links(host));
  facts.addresses = net::usable_addresses(links);
  for (const net::Link& link : links) {
    for (const net::Address& address : link.addresses) {
      if (address.text == facts.node.cluster_address) facts.cluster_mtu = link.mtu;
      if (address.text == facts.node.replication_address()) facts.drbd_mtu = link.mtu;
    }
  }
  MCV_CO_TRY(const std::vector<lvm::LogicalVolume> volumes, co_await lvm::logical_volumes(host));
  for (const lvm::LogicalVolume& volume : volumes) {
    if (volume.thin_pool) facts.thin_pools[volume.volume_group + "/" + volume.name] = volume.size;
  }
  Look wanted;
  wanted.volume_groups = true;
  wanted.room = true;
  MCV_CO_TRY(facts.facts, co_await observer.look(std::move(wanted)));
  co_return facts;
}

}  // namespace mcv
