// SPDX-License-Identifier: Apache-2.0
#include "daemon/join/suitability.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>
#include <utility>

#include "cluster/model/copy_room.h"
#include "cluster/model/ports.h"

namespace mcv::join {
namespace {

// Corosync and DRBD do not care about wall clocks; certificates, logs and people do.
constexpr std::int64_t skew_warn_seconds = 5;
constexpr std::int64_t skew_fail_seconds = 60;

class Table {
 public:
  void pass(std::string check, std::string text) { rows_.push_back({std::move(check), CheckStatus::pass, std::move(text), "", ErrorCode::not_suitable}); }
  void warn(std::string check, std::string text, std::string fix) {
    rows_.push_back({std::move(check), CheckStatus::warn, std::move(text), std::move(fix), ErrorCode::not_suitable});
  }
  void fail(std::string check, ErrorCode code, std::string text, std::string fix) {
    rows_.push_back({std::move(check), CheckStatus::fail, std::move(text), std::move(fix), code});
  }
  std::vector<SuitabilityRow> take() { return std::move(rows_); }

 private:
  std::vector<SuitabilityRow> rows_;
};

void check_blank(Table& table, const JoinFacts& there) {
  const std::string name = there.node.name.str();
  if (there.in_cluster) {
    table.fail("blank", ErrorCode::already_clustered, fmt::format("{} is in a cluster already", name),
               fmt::format("on {}: hvctl info shows which; a node joins one cluster only", name));
  } else if (!there.own_objects.empty()) {
    table.fail("blank", ErrorCode::not_blank, fmt::format("{} has a configuration of its own: {}", name, fmt::join(there.own_objects, ", ")),
               fmt::format("run the join on {} instead, or delete them there (vm, storage and network have a delete)", name));
  } else {
    table.pass("blank", fmt::format("{} has no VMs, volumes, pools or networks", name));
  }
  if (there.foreign_corosync) {
    table.fail("corosync", ErrorCode::not_blank, fmt::format("{} has a corosync.conf that mcv did not write", name),
               fmt::format("on {}: move /etc/corosync/corosync.conf away if nothing uses it", name));
  }
  if (!there.foreign_drbd.empty()) {
    table.fail("drbd-resources", ErrorCode::not_blank, fmt::format("{} has DRBD resources that are not mcv's: {}", name, fmt::join(there.foreign_drbd, ", ")),
               fmt::format("on {}: drbdadm down them and remove their files from /etc/drbd.d", name));
  }
}

void check_identity(Table& table, const JoinFacts& here, const JoinFacts& there, const std::string& expected_name, const std::string& expected_address) {
  const std::string name = there.node.name.str();
  if (!expected_name.empty() && expected_name != name) {
    table.fail("name", ErrorCode::name_mismatch, fmt::format("the node at that address is called {}, not {}", name, expected_name),
               fmt::format("use --node {}, or check the address", name));
  } else if (name == here.node.name.str()) {
    table.fail("name", ErrorCode::name_mismatch, fmt::format("both nodes are called {}", name), "give one another host name: hostnamectl set-hostname NAME");
  } else {
    // Corosync, DRBD and the daemons are given addresses; that names resolve is not needed, nor looked at.
    table.pass("name", fmt::format("host name {} is the node name; nothing has to resolve it", name));
  }
  const auto& address = expected_address.empty() ? there.node.cluster_address : expected_address;
  const bool local = std::find(there.addresses.begin(), there.addresses.end(), address) != there.addresses.end();
  if (local && address == there.node.cluster_address) {
    table.pass("address", fmt::format("{} is on an interface of {}", address, name));
  } else if (local) {
    table.fail("address", ErrorCode::address_not_local, fmt::format("{} uses {} for the cluster, not {}", name, there.node.cluster_address, address),
               fmt::format("on {}: hvctl node set-ip-address {}", name, address));
  } else {
    table.fail("address", ErrorCode::address_not_local, fmt::format("{} is on no interface of {}", address, name),
               fmt::format("on {}: ip address show, then hvctl node set-ip-address ADDRESS", name));
  }
}

/// What the other node will hold is written as the configuration here is.
void check_format(Table& table, const JoinFacts& here, const JoinFacts& there) {
  constexpr const char* check = "format";
  const std::string name = there.node.name.str();
  if (there.format < here.written_format) {
    table.fail(check, ErrorCode::format_unknown, fmt::format("the configuration here has format {}, the build on {} knows formats up to {}", here.written_format, name, there.format),
               fmt::format("on {}: mcvd --version; install the same package as here", name));
  } else if (there.format != here.format) {
    table.fail(check, ErrorCode::version_mismatch, fmt::format("the build here knows formats of the configuration up to {}, the one on {} up to {}", here.format, name, there.format),
               "install the same mcv package on both nodes");
  } else {
    table.pass(check, fmt::format("both builds know format {} of the configuration", here.written_format));
  }
}

void check_versions(Table& table, const JoinFacts& here, const JoinFacts& there) {
  if (here.version != there.version) {
    table.fail("version", ErrorCode::version_mismatch, fmt::format("mcv {} here, {} there", here.version, there.version),
               "install the same mcv package on both nodes");
  } else {
    table.pass("version", fmt::format("mcv {} on both", here.version));
  }
  check_format(table, here, there);
  const bool supported = there.drbd_version.rfind("8.4.", 0) == 0;
  if (there.drbd_version.empty()) {
    table.fail("drbd", ErrorCode::drbd_version, "the DRBD kernel module cannot be loaded there", "install Debian's kernel and drbd-utils there, then: modprobe drbd");
  } else if (!supported) {
    table.fail("drbd", ErrorCode::drbd_version, fmt::format("DRBD {} there; this build is tested with 8.4 only", there.drbd_version),
               "use Debian 12's own kernel module");
  } else {
    table.pass("drbd", fmt::format("DRBD {} there, {} here", there.drbd_version, here.drbd_version));
  }
}

void check_clock(Table& table, const JoinFacts& here, const JoinFacts& there) {
  const std::int64_t skew = std::llabs(here.wall_seconds - there.wall_seconds);
  const std::string text = fmt::format("the clocks differ by {} s", skew);
  if (skew > skew_fail_seconds) table.fail("clock", ErrorCode::clock_skew, text, "set the time on both nodes, for example with systemd-timesyncd");
  else if (skew > skew_warn_seconds) table.warn("clock", text, "run a time service on both nodes");
  else table.pass("clock", text);
}

void check_cpu(Table& table, const JoinFacts& here, const JoinFacts& there) {
  if (!there.facts.kvm) {
    table.fail("kvm", ErrorCode::not_suitable, "there is no usable /dev/kvm there", "enable virtualisation in the firmware; modprobe kvm_intel or kvm_amd");
  } else {
    table.pass("kvm", "/dev/kvm is usable there");
  }
  const std::set<std::string> theirs(there.cpu_flags.begin(), there.cpu_flags.end());
  std::vector<std::string> missing;
  for (const std::string& flag : here.cpu_flags) {
    if (!theirs.contains(flag)) missing.push_back(flag);
  }
  if (missing.empty()) {
    table.pass("cpu", fmt::format("{} has every CPU feature of {}", there.node.name.str(), here.node.name.str()));
  } else {
    table.warn("cpu", fmt::format("{} CPU features of {} are missing there, {} among them", missing.size(), here.node.name.str(), missing.front()),
               "VMs move offline; live migration will need a common CPU model");
  }
}

void check_memory(Table& table, const ClusterState& state, const JoinFacts& there) {
  Bytes wanted;
  for (const VmRecord& vm : state.vms()) wanted = wanted + vm.memory;
  const Bytes total = there.facts.memory_total;
  if (wanted > total) {
    table.warn("memory", fmt::format("all VMs together want {}, {} has {}", wanted.to_text(), there.node.name.str(), total.to_text()),
               "not every VM could run there if this node died");
  } else {
    table.pass("memory", fmt::format("{} there, the VMs want {}", total.to_text(), wanted.to_text()));
  }
}

/// What LVM takes beside a thin pool of that size: its metadata twice, the second as a spare. Rather too much.
Bytes thin_pool_overhead(Bytes size) { return Bytes(size.count() / 200) + Bytes::mib(16); }

/// A thin pool is made as large as the one here: replicas fill both alike, and the smaller one would be full first.
void check_thin_pool(Table& table, const PoolRecord& pool, Bytes free, const JoinFacts& here, const JoinFacts& there) {
  const std::string row = "pool-size-" + pool.name.str();
  const std::string name = there.node.name.str();
  const std::string& group = pool.volume_group_on(there.node.name);
  const auto ours = here.thin_pools.find(pool.volume_group_on(here.node.name) + "/" + pool.thin_pool);
  if (ours == here.thin_pools.end()) return;
  const Bytes size = ours->second;
  const auto theirs = there.thin_pools.find(group + "/" + pool.thin_pool);
  if (theirs != there.thin_pools.end()) {
    const std::string text = fmt::format("the thin pool {}/{} is there with {}, here it has {}", group, pool.thin_pool, theirs->second.to_text(), size.to_text());
    if (theirs->second < size) table.warn(row, text, fmt::format("on {}: lvextend --size {}b {}/{}", name, size.count(), group, pool.thin_pool));
    else table.pass(row, text);
    return;
  }
  const Bytes needed = size + thin_pool_overhead(size);
  const std::string text = fmt::format("pool {} has {} here, volume group {} there has {} free", pool.name.str(), size.to_text(), group, free.to_text());
  if (needed <= free) {
    table.pass(row, text);
    return;
  }
  table.fail(row, ErrorCode::pool_full, text + "; as large a pool does not fit",
             fmt::format("on {0}: vgextend {1} DEVICE; or, if a smaller one is to do: lvcreate --type thin-pool --zero y --size SIZE --name {2} {1}", name, group, pool.thin_pool));
}

/// That of another one is not changed by us.
bool waits_for_good(const ThinPoolFacts& pool) { return pool.waits_when_full && !pool.made_by_mcv; }

/// What the join copies there as soon as both nodes are one cluster. A thin pool that is not there yet is made as large as the one here.
void check_copies(Table& table, const ClusterState& state, const PoolRecord& pool, const JoinFacts& here, const JoinFacts& there) {
  const std::string row = "pool-room-" + pool.name.str();
  std::vector<CopyNeed> needs;
  for (const VolumeRecord& volume : state.volumes()) {
    if (volume.pool != pool.name || volume.kind != VolumeKind::drbd) continue;
    needs.push_back(need_of_new_leg(volume, pool, there.node.name, &here.facts));
  }
  NodeFacts joiner = there.facts;
  const std::string place = pool.volume_group_on(there.node.name) + "/" + pool.thin_pool;
  const auto ours = here.thin_pools.find(pool.volume_group_on(here.node.name) + "/" + pool.thin_pool);
  const bool is_made = ours != here.thin_pools.end() && !there.thin_pools.contains(place);
  if (is_made) joiner.thin_pools[place] = ThinPoolFacts{ours->second, {}, 0, {}, false, true};
  if (const auto thin = joiner.thin_pools.find(place); pool.kind == PoolKind::thin && thin != joiner.thin_pools.end()) {
    if (waits_for_good(thin->second)) {
      table.fail(row, ErrorCode::pool_waits, fmt::format("the thin pool {} there lets writes wait when it is full, and every guest that writes to it", place),
                 fmt::format("on {}: lvchange --errorwhenfull y {}", there.node.name.str(), place));
      return;
    }
    thin->second.waits_when_full = false;
  }
  const Status room = check_room_for_copies(needs, CopyKind::fills_new_legs, {{there.node.name.str(), joiner}});
  if (!room.ok() && is_made) {
    table.fail(row, room.error().code(), room.error().message() + "; the pool there is made as large as the one here",
               fmt::format("on {}: lvextend --size +10G {}, and as much room in {} on {}", here.node.name.str(), ours->first, pool.volume_group_on(there.node.name), there.node.name.str()));
    return;
  }
  if (!room.ok()) {
    table.fail(row, room.error().code(), room.error().message(), room.error().next());
    return;
  }
  table.pass(row, fmt::format("{} volumes are copied there, and fit", needs.size()));
}

/// Pools of the shared configuration must be possible there, with room for what will be replicated.
void check_pools(Table& table, const ClusterState& state, const JoinFacts& here, const JoinFacts& there) {
  for (const auto& [key, entry] : state.all(Kind::pool)) {
    const auto pool = PoolRecord::from_json(entry.value);
    if (!pool.ok() || pool->kind == PoolKind::directory) continue;
    const std::string& vg = pool->volume_group_on(there.node.name);
    const auto found = there.facts.volume_group_free.find(vg);
    if (there.facts.volume_groups_unknown) {
      const Error& why = *there.facts.volume_groups_unknown;
      table.fail("pool-" + key, why.code(), fmt::format("pool {} needs the volume group {}, and LVM there does not say whether there is one: {}", key, vg, why.message()),
                 fmt::format("on {}: {}", there.node.name.str(), why.next().empty() ? "vgs" : why.next()));
      continue;
    }
    if (found == there.facts.volume_group_free.end()) {
      table.fail("pool-" + key, ErrorCode::pool_missing, fmt::format("pool {} needs the volume group {}, which is not there", key, vg),
                 fmt::format("on {}: vgcreate {} DEVICE", there.node.name.str(), vg));
      continue;
    }
    table.pass("pool-" + key, fmt::format("volume group {} has {} free", vg, found->second.to_text()));
    if (pool->kind == PoolKind::thin) check_thin_pool(table, *pool, found->second, here, there);
    check_copies(table, state, *pool, here, there);
  }
}

/// Every port, for whoever writes a firewall's rules.
std::string ports_wanted(const JoinFacts& here, const JoinFacts& there) {
  const NodeRecord& ours = here.node;
  const NodeRecord& theirs = there.node;
  const std::string daemon = ours.peer_port == theirs.peer_port ? fmt::format("TCP {}", ours.peer_port) : fmt::format("TCP {} and {}", ours.peer_port, theirs.peer_port);
  return fmt::format("between {} and {}: {} and UDP {}; between {} and {}: TCP {}-{}", ours.cluster_address, theirs.cluster_address, daemon, corosync_port,
                     ours.replication_address(), theirs.replication_address(), first_drbd_port, last_drbd_port);
}

void check_ports(Table& table, const JoinFacts& here, const JoinFacts& there) {
  const std::string wanted = ports_wanted(here, there);
  if (there.calls_back) {
    table.pass("ports", fmt::format("{} and {} reach each other on TCP {}; needed are, {}", here.node.name.str(), there.node.name.str(), here.node.peer_port, wanted));
  } else {
    table.fail("ports", ErrorCode::host_unreachable, fmt::format("{} cannot connect to {} port {}", there.node.name.str(), here.node.cluster_address, here.node.peer_port),
               "let both nodes in " + wanted);
  }
}

/// Replication has a link of its own on both nodes or on none. What is wrong here shows when the first volume waits in vain.
void check_replication(Table& table, const JoinFacts& here, const JoinFacts& there) {
  constexpr const char* check = "drbd-address";
  const bool ours = !here.node.drbd_address.empty();
  const bool theirs = !there.node.drbd_address.empty();
  if (!ours && !theirs) {
    table.pass(check, "replication uses the cluster link");
    return;
  }
  if (ours != theirs) {
    const JoinFacts& with = ours ? here : there;
    const JoinFacts& without = ours ? there : here;
    table.fail(check, ErrorCode::not_suitable, fmt::format("{} replicates from {}, {} has no replication address", with.node.name.str(), with.node.drbd_address, without.node.name.str()),
               fmt::format("on {}: hvctl node set-drbd-address ADDRESS", without.node.name.str()));
    return;
  }
  for (const JoinFacts* side : {&here, &there}) {
    const std::string& address = side->node.drbd_address;
    if (std::find(side->addresses.begin(), side->addresses.end(), address) != side->addresses.end()) continue;
    table.fail(check, ErrorCode::address_not_local, fmt::format("the replication address {} is on no interface of {}", address, side->node.name.str()),
               fmt::format("on {}: ip address show, then hvctl node set-drbd-address ADDRESS", side->node.name.str()));
    return;
  }
  for (const auto& [from, to] : {std::pair{&here, &there}, std::pair{&there, &here}}) {
    if (from->reaches_drbd.value_or(true)) continue;
    table.fail(check, ErrorCode::host_unreachable, fmt::format("{} gets no answer from {} port {}", from->node.name.str(), to->node.drbd_address, first_drbd_port),
               fmt::format("let both nodes in {}; then: ping {}", ports_wanted(here, there), to->node.drbd_address));
    return;
  }
  if (here.drbd_mtu != there.drbd_mtu) {
    table.fail(check, ErrorCode::not_suitable, fmt::format("the replication link has MTU {} here and {} there", here.drbd_mtu, there.drbd_mtu),
               "set the same MTU on both interfaces: ip link set dev IFACE mtu N");
    return;
  }
  table.pass(check, fmt::format("{} and {} reach each other, MTU {} on both sides", here.node.drbd_address, there.node.drbd_address, here.drbd_mtu));
}

void check_network(Table& table, const ClusterState& state, const JoinFacts& here, const JoinFacts& there) {
  if (here.cluster_mtu != there.cluster_mtu) {
    table.fail("mtu", ErrorCode::not_suitable, fmt::format("the cluster link has MTU {} here and {} there", here.cluster_mtu, there.cluster_mtu),
               "set the same MTU on both interfaces: ip link set dev IFACE mtu N");
  } else {
    table.pass("mtu", fmt::format("MTU {} on both sides of the cluster link", here.cluster_mtu));
  }
  for (const auto& [key, entry] : state.all(Kind::network)) {
    const auto network = NetworkRecord::from_json(entry.value);
    if (!network.ok()) continue;
    const auto& bridges = there.facts.bridges;
    if (std::find(bridges.begin(), bridges.end(), network->bridge) == bridges.end()) {
      table.fail("network-" + key, ErrorCode::not_suitable, fmt::format("network {} needs the bridge {}, which is not there", key, network->bridge),
                 fmt::format("on {}: hvctl node init --all --bridge {}", there.node.name.str(), network->bridge));
    } else {
      table.pass("network-" + key, fmt::format("bridge {} is there", network->bridge));
    }
  }
}

}  // namespace

std::string_view to_text(CheckStatus status) {
  switch (status) {
    case CheckStatus::pass: return "pass";
    case CheckStatus::warn: return "warn";
    case CheckStatus::fail: return "fail";
  }
  return "";
}

std::vector<SuitabilityRow> suitability(const ClusterState& state, const JoinFacts& here, const JoinFacts& there,
                                        const std::string& expected_name, const std::string& expected_address) {
  Table table;
  check_identity(table, here, there, expected_name, expected_address);
  check_blank(table, there);
  check_versions(table, here, there);
  check_clock(table, here, there);
  check_cpu(table, here, there);
  check_memory(table, state, there);
  check_pools(table, state, here, there);
  check_ports(table, here, there);
  check_replication(table, here, there);
  check_network(table, state, here, there);
  return table.take();
}

bool has_failure(const std::vector<SuitabilityRow>& rows) {
  return std::any_of(rows.begin(), rows.end(), [](const SuitabilityRow& row) { return row.status == CheckStatus::fail; });
}

Json to_json(const std::vector<SuitabilityRow>& rows) {
  Json list = Json::array();
  for (const SuitabilityRow& row : rows) list.push_back({{"check", row.check}, {"status", to_text(row.status)}, {"text", row.text}, {"fix", row.fix}});
  return list;
}

Error to_error(const std::vector<SuitabilityRow>& rows, const NodeName& node) {
  const auto failed = [](const SuitabilityRow& row) { return row.status == CheckStatus::fail; };
  const auto first = std::find_if(rows.begin(), rows.end(), failed);
  if (first == rows.end()) return Error(ErrorCode::internal, "no suitability check failed");
  const auto count = std::count_if(rows.begin(), rows.end(), failed);
  std::string text = fmt::format("{} cannot join: {}", node.str(), first->text);
  if (count > 1) text += fmt::format(" (and {} more; see hvctl cluster add-node --check-only)", count - 1);
  return Error(first->code, text).with_safe("nothing was changed on either node").with_next(first->fix);
}

}  // namespace mcv::join
