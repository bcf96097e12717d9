// SPDX-License-Identifier: Apache-2.0
#include "cluster/requests/requests.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <fmt/format.h>

#include "cluster/model/verify_policy.h"

namespace mcv::requests {
namespace {

constexpr std::uint32_t cpu_limit = 256;
constexpr std::size_t disk_limit = 16;
constexpr std::size_t nic_limit = 8;
constexpr std::size_t verify_limit = 1000;  ///< VMs that one request names
const Bytes memory_floor = Bytes::mib(32);
const Bytes memory_limit = Bytes::gib(4096);
const Bytes disk_floor = Bytes::mib(4);
const Bytes disk_limit_size = Bytes::gib(16 * 1024);
const Bytes pool_size_limit = Bytes::gib(1024 * 1024 * 1024);

template <typename NameType>
NameType read_name(Fields& fields, const std::string& text) {
  auto name = NameType::parse(text);
  if (name.ok()) return *name;
  fields.fail(name.error());
  return NameType{};
}

template <typename Parsed>
void keep(Fields& fields, Result<Parsed> parsed, Parsed& into) {
  if (parsed.ok()) into = std::move(*parsed);
  else fields.fail(parsed.error());
}

void check_range(Fields& fields, std::string_view what, Bytes value, Bytes floor, Bytes limit) {
  if (value < floor || value > limit) {
    fields.fail(Error(ErrorCode::bad_size, fmt::format("{} must be between {} and {}, not {}", what, floor.to_text(), limit.to_text(), value.to_text())));
  }
}

void check_cpus(Fields& fields, std::uint32_t cpus) {
  if (cpus < 1 || cpus > cpu_limit) fields.fail(Error(ErrorCode::bad_request, fmt::format("cpus must be between 1 and {}", cpu_limit)));
}

/// Paths go into a VMM's configuration on both nodes: absolute, printable, without "..".
void check_path(Fields& fields, std::string_view what, const std::string& path) {
  if (path.empty()) return;
  const bool printable = std::all_of(path.begin(), path.end(), [](char c) { return c >= ' ' && c != '\x7f' && c != ','; });
  const bool plain = path.find("/../") == std::string::npos && !path.ends_with("/..");
  if (path.front() != '/' || path.size() > 1024 || !printable || !plain) {
    fields.fail(Error(ErrorCode::bad_request, fmt::format("{} must be an absolute path without '..' or commas", what)));
  }
}

Result<BootChange> boot_change_from(const Json& json) {
  Fields fields(json, "boot");
  BootChange change;
  change.kernel = fields.optional<std::string>("kernel");
  change.initramfs = fields.optional<std::string>("initramfs");
  change.cmdline = fields.optional<std::string>("cmdline");
  change.firmware = fields.optional<std::string>("firmware");
  check_path(fields, "the kernel", change.kernel.value_or(""));
  check_path(fields, "the initramfs", change.initramfs.value_or(""));
  check_path(fields, "the firmware", change.firmware.value_or(""));
  const std::string cmdline = change.cmdline.value_or("");
  const bool printable = std::all_of(cmdline.begin(), cmdline.end(), [](char c) { return c >= ' ' && c != '\x7f'; });
  if (cmdline.size() > 2048 || !printable) fields.fail(Error(ErrorCode::bad_request, "the kernel command line may hold at most 2048 printable characters"));
  MCV_CHECK(fields.finish());
  return change;
}

/// C1 controls (U+0080 to U+009F) command some terminals as those of ASCII do.
bool has_control(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < ' ' || byte == 0x7f) return true;
    if (byte == 0xc2 && at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xa0) return true;
  }
  return false;
}

/// A sentence of a person, printed on one line of a list and of the log. `of`: "a lock".
void check_reason(Fields& fields, std::string_view of, const std::string& reason) {
  constexpr std::size_t limit = 400;
  const bool is_blank = reason.find_first_not_of(' ') == std::string::npos;
  if (is_blank || reason.size() > limit || has_control(reason)) fields.fail(Error(ErrorCode::bad_request, fmt::format("{} needs a reason: one line of at most {} bytes", of, limit)));
}

/// Each once: every one of them is judged, and is in the audit.
template <typename NameType>
std::vector<NameType> read_names(Fields& fields, const char* key, std::size_t limit) {
  const auto texts = fields.optional_or<std::vector<std::string>>(key, {});
  if (texts.size() > limit) {
    fields.fail(Error(ErrorCode::too_large, fmt::format("{} holds {} names; at most {} are taken", key, texts.size(), limit)));
    return {};
  }
  std::vector<NameType> names;
  for (const std::string& text : texts) {
    NameType name = read_name<NameType>(fields, text);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

void check_bridge(Fields& fields, const std::string& bridge) {
  // IFNAMSIZ is 16 with the terminating zero.
  const auto status = check_name("bridge name", bridge, 15);
  if (!status.ok()) fields.fail(status.error());
}

PeerLoss read_peer_loss(Fields& fields, const std::string& text) {
  const auto policy = peer_loss_from(text);
  if (!policy) fields.fail(Error(ErrorCode::bad_request, fmt::format("peer_loss is freeze or run-alone, not '{}'", text)));
  return policy.value_or(PeerLoss::freeze);
}

void check_volume_group(Fields& fields, const std::string& name) {
  const auto status = check_name("volume group name", name, 100);
  if (!status.ok()) fields.fail(status.error());
}

}  // namespace

Result<std::string> parse_address(const std::string& text) {
  std::array<unsigned char, 16> binary{};
  std::array<char, INET6_ADDRSTRLEN> canonical_text{};
  for (const int family : {AF_INET, AF_INET6}) {
    if (inet_pton(family, text.c_str(), binary.data()) == 1) {
      inet_ntop(family, binary.data(), canonical_text.data(), canonical_text.size());
      return std::string(canonical_text.data());
    }
  }
  return Error(ErrorCode::bad_request, fmt::format("'{}' is not an IP address", text.substr(0, 60))).with_next("give a literal address such as 10.77.0.11; names are never looked up");
}

Result<CreateVm> create_vm(const Json& body) {
  Fields fields(body, "vm");
  CreateVm request;
  request.name = read_name<VmName>(fields, fields.required<std::string>("name"));
  request.cpus = fields.optional_or<std::uint32_t>("cpus", 1);
  check_cpus(fields, request.cpus);
  request.memory = Bytes(fields.required<std::uint64_t>("memory"));
  check_range(fields, "memory", request.memory, memory_floor, memory_limit);
  if (const Json* disks = fields.array("disks", false)) {
    if (disks->size() > disk_limit) fields.fail(Error(ErrorCode::too_large, fmt::format("a VM has at most {} disks", disk_limit)));
    for (const Json& item : *disks) {
      Fields disk(item, "vm.disks");
      const Bytes size(disk.required<std::uint64_t>("size"));
      check_range(disk, "a disk", size, disk_floor, disk_limit_size);
      if (size.count() % (4 << 20) != 0) disk.fail(Error(ErrorCode::bad_size, "a disk's size must be a multiple of 4 MiB, LVM's extent"));
      MCV_CHECK(disk.finish());
      request.disks.push_back(size);
    }
  }
  keep(fields, volume_kind_from_text(fields.optional_or<std::string>("storage_type", "drbd")), request.storage_type);
  if (const auto pool = fields.optional<std::string>("pool")) request.pool = read_name<PoolName>(fields, *pool);
  const auto networks = fields.optional_or<std::vector<std::string>>("networks", {});
  if (networks.size() > nic_limit) fields.fail(Error(ErrorCode::too_large, fmt::format("a VM has at most {} network cards", nic_limit)));
  for (const std::string& network : networks) request.networks.push_back(read_name<NetworkName>(fields, network));
  if (const Json* boot = fields.object("boot", false)) {
    MCV_TRY(const BootChange named, boot_change_from(*boot));
    MCV_TRY(request.boot, changed(BootRecord{}, named));
  }
  keep(fields, hypervisor_kind_from_text(fields.optional_or<std::string>("hypervisor", "auto")), request.hypervisor);
  if (const auto node = fields.optional<std::string>("node")) request.node = read_name<NodeName>(fields, *node);
  request.autostart = fields.optional_or("autostart", false);
  MCV_CHECK(fields.finish());
  return request;
}

Result<BootRecord> changed(BootRecord before, const BootChange& change) {
  BootRecord boot = std::move(before);
  if (change.kernel) boot.kernel = *change.kernel;
  if (change.initramfs) boot.initramfs = *change.initramfs;
  if (change.cmdline) boot.cmdline = *change.cmdline;
  if (change.firmware) boot.firmware = *change.firmware;
  if (!boot.firmware.empty() && !boot.kernel.empty()) {
    return Error(ErrorCode::bad_request, "firmware and kernel exclude each other").with_safe("nothing was changed").with_next("set the one that is to go to '': --kernel '' or --firmware ''");
  }
  if (boot.kernel.empty() && (!boot.initramfs.empty() || !boot.cmdline.empty())) {
    return Error(ErrorCode::bad_request, "an initramfs or a command line needs a kernel").with_safe("nothing was changed").with_next("without a kernel: --kernel '' --initramfs '' --cmdline ''");
  }
  return boot;
}

Result<UpdateVm> update_vm(const Json& body) {
  Fields fields(body, "vm");
  UpdateVm request;
  request.cpus = fields.optional<std::uint32_t>("cpus");
  if (request.cpus) check_cpus(fields, *request.cpus);
  if (const auto memory = fields.optional<std::uint64_t>("memory")) {
    request.memory = Bytes(*memory);
    check_range(fields, "memory", *request.memory, memory_floor, memory_limit);
  }
  request.autostart = fields.optional<bool>("autostart");
  request.delete_protection = fields.optional<bool>("delete_protection");
  if (const Json* boot = fields.object("boot", false)) {
    MCV_TRY(auto change, boot_change_from(*boot));
    request.boot = std::move(change);
  }
  request.unlock = body.is_object() && body.contains("lock") && body.at("lock").is_null();
  if (const Json* lock = fields.object("lock", false)) {
    Fields lock_fields(*lock, "vm.lock");
    request.lock_reason = lock_fields.required<std::string>("reason");
    check_reason(lock_fields, "a lock", *request.lock_reason);
    MCV_CHECK(lock_fields.finish());
  }
  request.lock_owner = fields.optional<std::string>("lock_owner");
  if (body.empty()) fields.fail(Error(ErrorCode::bad_request, "nothing was named that is to change"));
  if (request.lock_owner && !request.unlock) fields.fail(Error(ErrorCode::bad_request, "lock_owner says whose lock is taken off, and goes with \"lock\": null alone"));
  MCV_CHECK(fields.finish());
  return request;
}

Result<StartVm> start_vm(const Json& body) {
  Fields fields(body, "start");
  StartVm request;
  if (const Json* override_json = fields.object("override", false)) {
    Fields override_fields(*override_json, "start.override");
    request.override_reason = override_fields.required<std::string>("reason");
    check_reason(override_fields, "an override", *request.override_reason);
    MCV_CHECK(override_fields.finish());
  }
  MCV_CHECK(fields.finish());
  return request;
}

Result<StopVm> stop_vm(const Json& body) {
  Fields fields(body, "stop");
  StopVm request;
  request.timeout_seconds = fields.optional_or<std::uint32_t>("timeout_seconds", request.timeout_seconds);
  if (request.timeout_seconds < 1 || request.timeout_seconds > 86'400) fields.fail(Error(ErrorCode::bad_request, "timeout_seconds must be between 1 and 86400"));
  MCV_CHECK(fields.finish());
  return request;
}

Result<MigrateVm> migrate_vm(const Json& body) {
  Fields fields(body, "migrate");
  MigrateVm request;
  request.node = read_name<NodeName>(fields, fields.required<std::string>("node"));
  request.wait_for_shutdown = fields.optional_or("wait_for_shutdown", false);
  request.timeout_seconds = fields.optional<std::uint32_t>("timeout_seconds");
  request.start_after_migration = fields.optional_or("start_after_migration", false);
  if (request.timeout_seconds && !request.wait_for_shutdown) {
    fields.fail(Error(ErrorCode::bad_request, "a timeout only makes sense with --wait-for-shutdown"));
  }
  MCV_CHECK(fields.finish());
  return request;
}

Result<Verify> verify(const Json& body) {
  Fields fields(body, "verify");
  Verify request;
  request.vms = read_names<VmName>(fields, "vms", verify_limit);
  request.all = fields.optional_or("all", false);
  request.scheduled = fields.optional_or("scheduled", false);
  if (request.all != request.vms.empty()) fields.fail(Error(ErrorCode::bad_request, "name the VMs to verify, or --all"));
  MCV_CHECK(fields.finish());
  return request;
}

Result<ResyncVm> resync_vm(const Json& body) {
  Fields fields(body, "resync");
  ResyncVm request;
  if (const auto source = fields.optional<std::string>("source")) request.source = read_name<NodeName>(fields, *source);
  request.volumes = read_names<VolumeName>(fields, "volumes", disk_limit);
  request.full = fields.optional_or("full", false);
  request.source_confirmed = fields.optional_or("source_confirmed", false);
  request.check_only = fields.optional_or("check_only", false);
  MCV_CHECK(fields.finish());
  return request;
}

Result<VolumeKind> storage_type(const Json& body) {
  Fields fields(body, "storage type");
  const std::string text = fields.required<std::string>("storage_type");
  Result<VolumeKind> kind = volume_kind_from_text(text);
  if (!text.empty() && !kind.ok()) fields.fail(kind.error());
  MCV_CHECK(fields.finish());
  return kind;
}

Result<AttachDisks> attach_disks(const Json& body) {
  Fields fields(body, "attach");
  AttachDisks request;
  request.volumes = read_names<VolumeName>(fields, "volumes", disk_limit);
  MCV_CHECK(fields.finish());
  return request;
}

Result<CreateNetwork> create_network(const Json& body) {
  Fields fields(body, "network");
  CreateNetwork request;
  request.name = read_name<NetworkName>(fields, fields.required<std::string>("name"));
  request.bridge = fields.required<std::string>("bridge");
  check_bridge(fields, request.bridge);
  MCV_CHECK(fields.finish());
  return request;
}

Result<CreatePool> create_pool(const Json& body) {
  Fields fields(body, "storage");
  CreatePool request;
  request.name = read_name<PoolName>(fields, fields.required<std::string>("name"));
  const auto volume_group = fields.optional<std::string>("vg");
  const auto path = fields.optional<std::string>("dir");
  request.volume_group = volume_group.value_or("");
  request.path = path.value_or("");
  const bool thin = fields.optional_or("thin", false);
  if (const auto size = fields.optional<std::uint64_t>("size")) {
    request.size = Bytes(*size);
    check_range(fields, "the size", *request.size, Bytes(1), pool_size_limit);
  }
  if (volume_group.has_value() == path.has_value() || request.volume_group.empty() == request.path.empty()) {
    fields.fail(Error(ErrorCode::bad_request, "a storage pool needs either a volume group (--vg) or a directory (--dir)"));
  }
  if (thin && request.volume_group.empty()) fields.fail(Error(ErrorCode::bad_request, "--thin needs a volume group"));
  request.kind = !request.path.empty() ? PoolKind::directory : thin ? PoolKind::thin : PoolKind::thick;
  if (!request.volume_group.empty()) check_volume_group(fields, request.volume_group);
  check_path(fields, "the directory", request.path);
  if (const Json* overrides = fields.object("per_node_vg", false)) {
    for (const auto& item : overrides->items()) {
      if (!item.value().is_string()) {
        fields.fail(Error(ErrorCode::bad_request, "storage.per_node_vg maps node names to volume groups"));
        break;
      }
      check_volume_group(fields, item.value().get<std::string>());
      read_name<NodeName>(fields, item.key());
      request.per_node_volume_group[item.key()] = item.value().get<std::string>();
    }
  }
  MCV_CHECK(fields.finish());
  return request;
}

Result<SetAddresses> set_addresses(const Json& body) {
  Fields fields(body, "addresses");
  SetAddresses request;
  if (const auto address = fields.optional<std::string>("cluster_address")) {
    MCV_TRY(request.cluster_address, parse_address(*address));
  }
  if (const auto address = fields.optional<std::string>("drbd_address")) {
    MCV_TRY(request.drbd_address, parse_address(*address));
  }
  if (!request.cluster_address && !request.drbd_address) fields.fail(Error(ErrorCode::bad_request, "no address was given"));
  MCV_CHECK(fields.finish());
  return request;
}

Result<InitNode> init_node(const Json& body) {
  Fields fields(body, "init");
  InitNode request;
  request.all = fields.optional_or("all", false);
  request.bridge = fields.optional_or<std::string>("bridge", "br0");
  check_bridge(fields, request.bridge);
  request.uplink = fields.optional<std::string>("uplink");
  if (request.uplink) check_bridge(fields, *request.uplink);
  if (request.uplink && !request.all) fields.fail(Error(ErrorCode::bad_request, "an uplink is for the bridge, which only --all makes"));
  MCV_CHECK(fields.finish());
  return request;
}

Result<AddNode> add_node(const Json& body) {
  Fields fields(body, "add-node");
  AddNode request;
  request.connect_string = fields.required<std::string>("connect_string");
  request.node = fields.optional_or<std::string>("node", "");
  request.address = fields.optional_or<std::string>("address", "");
  request.check_only = fields.optional_or("check_only", false);
  const auto peer_loss = fields.optional<std::string>("peer_loss");
  if (peer_loss) request.peer_loss = read_peer_loss(fields, *peer_loss);
  MCV_CHECK(fields.finish());
  if (!request.address.empty()) {
    MCV_TRY(request.address, parse_address(request.address));
  }
  return request;
}

Result<ConfirmDown> confirm_down(const Json& body) {
  Fields fields(body, "confirm-down");
  ConfirmDown request;
  request.node = fields.required<std::string>("node");
  request.is_powered_off = fields.optional_or("is_powered_off", false);
  request.nobody_let_it_carry_on = fields.optional_or("nobody_let_it_carry_on", false);
  request.was_let_go_on = fields.optional_or("was_let_go_on", false);
  request.check_only = fields.optional_or("check_only", false);
  MCV_CHECK(fields.finish());
  return request;
}

Result<UpdateCluster> update_cluster(const Json& body) {
  Fields fields(body, "cluster");
  UpdateCluster request;
  if (const auto peer_loss = fields.optional<std::string>("peer_loss")) request.peer_loss = read_peer_loss(fields, *peer_loss);
  request.verify_age_seconds = fields.optional<std::int64_t>("verify_age_seconds");
  if (request.verify_age_seconds && *request.verify_age_seconds != 0 && (*request.verify_age_seconds < 3600 || *request.verify_age_seconds > 3650 * 86'400)) {
    fields.fail(Error(ErrorCode::bad_request, "verify_age_seconds must be 0, for no alarm, or between an hour and ten years"));
  }
  request.verify_parallel = fields.optional<std::uint32_t>("verify_parallel");
  if (request.verify_parallel && (*request.verify_parallel < 1 || *request.verify_parallel > most_verifies_at_once)) {
    fields.fail(Error(ErrorCode::bad_request, fmt::format("verify_parallel must be between 1 and {}", most_verifies_at_once)));
  }
  request.verify_calendar = fields.optional<std::string>("verify_calendar");
  if (request.verify_calendar && !is_calendar_text(*request.verify_calendar)) {
    fields.fail(Error(ErrorCode::bad_request, "verify_calendar must be 'off' or a calendar of systemd.time(7), such as 'Sun 02:00'"));
  }
  if (!request.peer_loss && !request.verify_age_seconds && !request.verify_parallel && !request.verify_calendar) fields.fail(Error(ErrorCode::bad_request, "no setting was named"));
  MCV_CHECK(fields.finish());
  return request;
}

Result<AcceptCopy> accept_copy(const Json& body) {
  Fields fields(body, "accept-copy");
  AcceptCopy request;
  const auto volume = fields.required<std::string>("volume");
  request.may_be_older = fields.optional_or("may_be_older", false);
  request.check_only = fields.optional_or("check_only", false);
  MCV_CHECK(fields.finish());
  MCV_TRY(request.volume, VolumeName::parse(volume));
  return request;
}

Result<ChooseHistory> choose_history(const Json& body) {
  Fields fields(body, "choose-history");
  ChooseHistory request;
  const auto base = fields.required<std::string>("base");
  request.the_other_is_given_up = fields.optional_or("the_other_is_given_up", false);
  request.check_only = fields.optional_or("check_only", false);
  MCV_CHECK(fields.finish());
  MCV_TRY(request.base, NodeName::parse(base));
  return request;
}

Result<RemoveNode> remove_node(const Json& body) {
  Fields fields(body, "remove-node");
  RemoveNode request;
  const auto node = fields.required<std::string>("node");
  request.dead = fields.optional_or("dead", false);
  MCV_CHECK(fields.finish());
  MCV_TRY(request.node, NodeName::parse(node));
  return request;
}

}  // namespace mcv::requests
