// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/records.h"

#include <fmt/format.h>

namespace mcv {
namespace {

/// Reads a checked name out of `fields`.
template <typename NameType>
NameType read_name(Fields& fields, const char* key) {
  auto name = NameType::parse(fields.required<std::string>(key));
  if (!name.ok()) {
    fields.fail(name.error());
    return NameType{};
  }
  return *name;
}

template <typename Enum>
Enum read_enum(Fields& fields, const char* key, Result<Enum> (*parse)(std::string_view)) {
  auto value = parse(fields.required<std::string>(key));
  if (!value.ok()) {
    fields.fail(value.error());
    return Enum{};
  }
  return *value;
}

std::uint16_t read_port(Fields& fields, const char* key, std::uint32_t fallback) {
  const auto port = fields.optional_or<std::uint32_t>(key, fallback);
  if (port > 65535) fields.fail(Error(ErrorCode::bad_request, fmt::format("{} is not a port", key)));
  return static_cast<std::uint16_t>(port);
}

}  // namespace

Json NodeRecord::to_json() const {
  return {{"name", name.str()},         {"id", id},
          {"cluster_address", cluster_address}, {"drbd_address", drbd_address},
          {"peer_port", peer_port},     {"fingerprint", fingerprint}};
}

Result<NodeRecord> NodeRecord::from_json(const Json& json) {
  Fields fields(json, "node");
  NodeRecord node;
  node.name = read_name<NodeName>(fields, "name");
  node.id = fields.required<std::uint32_t>("id");
  node.cluster_address = fields.optional_or<std::string>("cluster_address", "");
  node.drbd_address = fields.optional_or<std::string>("drbd_address", "");
  node.peer_port = read_port(fields, "peer_port", 8801);
  node.fingerprint = fields.optional_or<std::string>("fingerprint", "");
  MCV_CHECK(fields.finish_lenient());
  return node;
}

Json NetworkRecord::to_json() const { return {{"name", name.str()}, {"bridge", bridge}}; }

Result<NetworkRecord> NetworkRecord::from_json(const Json& json) {
  Fields fields(json, "network");
  NetworkRecord network;
  network.name = read_name<NetworkName>(fields, "name");
  network.bridge = fields.required<std::string>("bridge");
  MCV_CHECK(fields.finish_lenient());
  return network;
}

std::string_view to_text(PoolKind kind) {
  switch (kind) {
    case PoolKind::thin: return "thin";
    case PoolKind::thick: return "thick";
    case PoolKind::directory: return "directory";
  }
  return "";
}

Result<PoolKind> pool_kind_from_text(std::string_view text) {
  for (const PoolKind kind : {PoolKind::thin, PoolKind::thick, PoolKind::directory}) {
    if (to_text(kind) == text) return kind;
  }
  return Error(ErrorCode::bad_request, fmt::format("'{}' is not a kind of storage pool", text));
}

const std::string& PoolRecord::volume_group_on(const NodeName& node) const {
  const auto found = per_node_volume_group.find(node.str());
  return found == per_node_volume_group.end() ? volume_group : found->second;
}

Json PoolRecord::to_json() const {
  return {{"name", name.str()},       {"kind", to_text(kind)}, {"volume_group", volume_group},
          {"thin_pool", thin_pool},   {"path", path},          {"per_node_volume_group", per_node_volume_group}};
}

Result<PoolRecord> PoolRecord::from_json(const Json& json) {
  Fields fields(json, "pool");
  PoolRecord pool;
  pool.name = read_name<PoolName>(fields, "name");
  pool.kind = read_enum<PoolKind>(fields, "kind", pool_kind_from_text);
  pool.volume_group = fields.optional_or<std::string>("volume_group", "");
  pool.thin_pool = fields.optional_or<std::string>("thin_pool", "");
  pool.path = fields.optional_or<std::string>("path", "");
  if (const Json* overrides = fields.object("per_node_volume_group", false)) {
    for (const auto& item : overrides->items()) {
      if (item.value().is_string()) pool.per_node_volume_group[item.key()] = item.value().get<std::string>();
    }
  }
  MCV_CHECK(fields.finish_lenient());
  return pool;
}

std::string_view to_text(VolumeKind kind) {
  switch (kind) {
    case VolumeKind::local: return "local";
    case VolumeKind::drbd: return "drbd";
  }
  return "";
}

Result<VolumeKind> volume_kind_from_text(std::string_view text) {
  for (const VolumeKind kind : {VolumeKind::local, VolumeKind::drbd}) {
    if (to_text(kind) == text) return kind;
  }
  return Error(ErrorCode::bad_request, fmt::format("'{}' is not a storage type; choose drbd or local", text));
}

std::string_view to_text(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::never: return "never";
    case VerdictKind::clean: return "clean";
    case VerdictKind::mismatch: return "mismatch";
  }
  return "";
}

bool is_at_or_after(const LogStamp& stamp, const LogStamp& other) {
  if (stamp.counter != other.counter) return stamp.counter > other.counter;
  return stamp.generation == other.generation && stamp.index >= other.index;
}

std::string VolumeRecord::device_path(const std::string& volume_group) const {
  if (kind == VolumeKind::drbd) return fmt::format("/dev/drbd{}", minor);
  return fmt::format("/dev/{}/{}", volume_group, resource());
}

Json VolumeRecord::to_json() const {
  Json ranges = Json::array();
  for (const SectorRange& range : verdict.ranges) ranges.push_back({{"start", range.start}, {"count", range.count}});
  Json verdict_json = {{"kind", to_text(verdict.kind)}, {"wall_seconds", verdict.wall_seconds}, {"node", verdict.node}, {"ranges", ranges}};
  if (verdict.after.counter != 0) verdict_json["after"] = {{"counter", verdict.after.counter}, {"generation", verdict.after.generation}, {"index", verdict.after.index}};
  return {{"name", name.str()}, {"vm", vm.str()},   {"pool", pool.str()}, {"kind", to_text(kind)},         {"size", size.count()},
          {"node", node},       {"minor", minor},   {"port", port},       {"last_primary", last_primary},  {"verdict", verdict_json}};
}

namespace {

Result<Verdict> verdict_from_json(const Json& json) {
  Fields fields(json, "volume.verdict");
  Verdict verdict;
  const auto kind = fields.required<std::string>("kind");
  for (const VerdictKind candidate : {VerdictKind::never, VerdictKind::clean, VerdictKind::mismatch}) {
    if (to_text(candidate) == kind) verdict.kind = candidate;
  }
  verdict.wall_seconds = fields.optional_or<std::int64_t>("wall_seconds", 0);
  verdict.node = fields.optional_or<std::string>("node", "");
  if (const Json* ranges = fields.array("ranges", false)) {
    for (const Json& item : *ranges) {
      Fields range(item, "volume.verdict.range");
      verdict.ranges.push_back({range.required<std::uint64_t>("start"), range.required<std::uint64_t>("count")});
      MCV_CHECK(range.finish_lenient());
    }
  }
  if (const Json* after = fields.object("after", false)) {
    Fields stamp(*after, "volume.verdict.after");
    verdict.after.counter = stamp.required<std::uint64_t>("counter");
    verdict.after.generation = stamp.required<std::string>("generation");
    verdict.after.index = stamp.required<std::uint64_t>("index");
    MCV_CHECK(stamp.finish_lenient());
  }
  MCV_CHECK(fields.finish_lenient());
  return verdict;
}

}  // namespace

Result<VolumeRecord> VolumeRecord::from_json(const Json& json) {
  Fields fields(json, "volume");
  VolumeRecord volume;
  volume.name = read_name<VolumeName>(fields, "name");
  volume.vm = read_name<VmName>(fields, "vm");
  volume.pool = read_name<PoolName>(fields, "pool");
  volume.kind = read_enum<VolumeKind>(fields, "kind", volume_kind_from_text);
  volume.size = Bytes(fields.required<std::uint64_t>("size"));
  volume.node = fields.optional_or<std::string>("node", "");
  volume.minor = fields.optional_or<std::uint32_t>("minor", 0);
  volume.port = read_port(fields, "port", 0);
  volume.last_primary = fields.optional_or<std::string>("last_primary", "");
  if (const Json* verdict = fields.object("verdict", false)) {
    MCV_TRY(volume.verdict, verdict_from_json(*verdict));
  }
  MCV_CHECK(fields.finish_lenient());
  return volume;
}

std::string_view to_text(HypervisorKind kind) {
  switch (kind) {
    case HypervisorKind::automatic: return "auto";
    case HypervisorKind::cloud_hypervisor: return "cloud-hypervisor";
    case HypervisorKind::qemu: return "qemu";
  }
  return "";
}

Result<HypervisorKind> hypervisor_kind_from_text(std::string_view text) {
  for (const HypervisorKind kind : {HypervisorKind::automatic, HypervisorKind::cloud_hypervisor, HypervisorKind::qemu}) {
    if (to_text(kind) == text) return kind;
  }
  return Error(ErrorCode::bad_request, fmt::format("'{}' is not a hypervisor; choose auto, cloud-hypervisor or qemu", text));
}

Json to_json(const BootRecord& boot) { return {{"kernel", boot.kernel}, {"initramfs", boot.initramfs}, {"cmdline", boot.cmdline}, {"firmware", boot.firmware}}; }

Json to_json(const LockRecord& lock) { return {{"by", lock.by}, {"reason", lock.reason}, {"since", lock.since}}; }

Json VmRecord::to_json() const {
  Json volume_names = Json::array();
  for (const VolumeName& volume : volumes) volume_names.push_back(volume.str());
  Json nic_list = Json::array();
  for (const NicRecord& nic : nics) nic_list.push_back({{"network", nic.network.str()}, {"mac", nic.mac}});
  Json json = {{"name", name.str()},
               {"uuid", uuid},
               {"cpus", cpus},
               {"memory", memory.count()},
               {"volumes", volume_names},
               {"nics", nic_list},
               {"boot", mcv::to_json(boot)},
               {"hypervisor", to_text(hypervisor)},
               {"owner", owner.str()},
               {"delete_protection", delete_protection},
               {"autostart", autostart},
               {"deleting", deleting}};
  if (lock) json["lock"] = mcv::to_json(*lock);
  return json;
}

namespace {

void read_volumes(Fields& fields, VmRecord& vm) {
  for (const std::string& text : fields.required<std::vector<std::string>>("volumes")) {
    auto name = VolumeName::parse(text);
    if (name.ok()) vm.volumes.push_back(*name);
    else fields.fail(name.error());
  }
}

Status read_nics(const Json& list, VmRecord& vm) {
  for (const Json& item : list) {
    Fields fields(item, "vm.nic");
    NicRecord nic;
    nic.network = read_name<NetworkName>(fields, "network");
    nic.mac = fields.required<std::string>("mac");
    MCV_CHECK(fields.finish_lenient());
    vm.nics.push_back(nic);
  }
  return success();
}

Result<BootRecord> boot_from_json(const Json& json) {
  Fields fields(json, "vm.boot");
  BootRecord boot;
  boot.kernel = fields.optional_or<std::string>("kernel", "");
  boot.initramfs = fields.optional_or<std::string>("initramfs", "");
  boot.cmdline = fields.optional_or<std::string>("cmdline", "");
  boot.firmware = fields.optional_or<std::string>("firmware", "");
  MCV_CHECK(fields.finish_lenient());
  return boot;
}

}  // namespace

Result<VmRecord> VmRecord::from_json(const Json& json) {
  Fields fields(json, "vm");
  VmRecord vm;
  vm.name = read_name<VmName>(fields, "name");
  vm.uuid = fields.required<std::string>("uuid");
  vm.cpus = fields.required<std::uint32_t>("cpus");
  vm.memory = Bytes(fields.required<std::uint64_t>("memory"));
  read_volumes(fields, vm);
  if (const Json* nics = fields.array("nics", false)) {
    MCV_CHECK(read_nics(*nics, vm));
  }
  if (const Json* boot = fields.object("boot", false)) {
    MCV_TRY(vm.boot, boot_from_json(*boot));
  }
  vm.hypervisor = read_enum<HypervisorKind>(fields, "hypervisor", hypervisor_kind_from_text);
  vm.owner = read_name<NodeName>(fields, "owner");
  if (const Json* lock = fields.object("lock", false)) {
    Fields lock_fields(*lock, "vm.lock");
    vm.lock = LockRecord{lock_fields.required<std::string>("by"), lock_fields.required<std::string>("reason"), lock_fields.optional_or<std::int64_t>("since", 0)};
    MCV_CHECK(lock_fields.finish_lenient());
  }
  vm.delete_protection = fields.optional_or("delete_protection", false);
  vm.autostart = fields.optional_or("autostart", false);
  vm.deleting = fields.optional_or("deleting", false);
  MCV_CHECK(fields.finish_lenient());
  return vm;
}

}  // namespace mcv
