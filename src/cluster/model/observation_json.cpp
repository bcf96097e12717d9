// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <initializer_list>

#include "cluster/model/observation.h"

namespace mcv {
namespace {

template <typename Enum>
Enum enum_from(Fields& fields, const char* key, std::initializer_list<Enum> values, Enum fallback) {
  const auto text = fields.required<std::string>(key);
  for (const Enum value : values) {
    if (to_text(value) == text) return value;
  }
  return fallback;
}

DiskRole role_from(Fields& fields, const char* key) {
  return enum_from(fields, key, {DiskRole::secondary, DiskRole::primary}, DiskRole::unknown);
}

DiskState disk_from(Fields& fields, const char* key) {
  using enum DiskState;
  return enum_from(fields, key, {diskless, attaching, failed, negotiating, inconsistent, outdated, consistent, up_to_date}, unknown);
}

Result<VolumeFacts> volume_facts_from_json(const Json& json) {
  Fields fields(json, "volume facts");
  VolumeFacts facts;
  facts.role = role_from(fields, "role");
  facts.peer_role = role_from(fields, "peer_role");
  facts.disk = disk_from(fields, "disk");
  facts.peer_disk = disk_from(fields, "peer_disk");
  facts.connection = enum_from(fields, "connection", {ConnectionState::standalone, ConnectionState::connecting, ConnectionState::connected},
                               ConnectionState::other);
  using enum ReplicationState;
  facts.replication = enum_from(fields, "replication", {off, established, sync_source, sync_target, paused_sync, verify_source, verify_target}, other);
  facts.suspended = IoHold::parse(fields.required<std::string>("suspended"));
  facts.out_of_sync_kib = fields.required<std::uint64_t>("out_of_sync_kib");
  MCV_CHECK(fields.finish_lenient());
  return facts;
}

Result<VmFacts> vm_facts_from_json(const Json& json) {
  Fields fields(json, "VM facts");
  VmFacts facts;
  using enum RunState;
  facts.state = enum_from(fields, "state", {stopped, starting, running, paused, stopping}, unknown);
  facts.hypervisor = fields.required<std::string>("hypervisor");
  facts.pid = fields.required<std::int64_t>("pid");
  facts.last_exit = enum_from(fields, "last_exit",
                              {ExitReason::none, ExitReason::guest_power_off, ExitReason::stopped_by_operator,
                               ExitReason::killed_by_operator, ExitReason::crashed},
                              ExitReason::none);
  if (const Json* started = fields.object("started_with", false)) {
    MCV_TRY(facts.started_with, StartedWith::from_json(*started));
  }
  MCV_CHECK(fields.finish_lenient());
  return facts;
}

template <typename Value, typename Decode>
Status read_map(Fields& fields, const char* key, std::map<std::string, Value>& values, Decode decode) {
  const Json* object = fields.object(key, false);
  if (object == nullptr) return success();
  for (const auto& item : object->items()) {
    MCV_TRY(Value value, decode(item.value()));
    values.emplace(item.key(), std::move(value));
  }
  return success();
}

Result<Bytes> bytes_from_json(const Json& json) {
  if (!json.is_number_unsigned()) return Error(ErrorCode::bad_request, "a size in the facts is not a number");
  return Bytes(json.get<std::uint64_t>());
}

Result<std::string> text_from_json(const Json& json) {
  if (!json.is_string()) return Error(ErrorCode::bad_request, "a hash in the facts is not text");
  return json.get<std::string>();
}

Result<ThinPoolFacts> thin_pool_from_json(const Json& json) {
  Fields fields(json, "thin pool facts");
  ThinPoolFacts facts;
  facts.size = Bytes(fields.required<std::uint64_t>("size"));
  facts.used = Bytes(fields.required<std::uint64_t>("used"));
  facts.metadata_percent = fields.required<std::uint32_t>("metadata_hundredths") / 100.0;
  facts.chunk = Bytes(fields.required<std::uint64_t>("chunk"));
  facts.waits_when_full = fields.required<bool>("waits_when_full");
  facts.made_by_mcv = fields.required<bool>("made_by_mcv");
  MCV_CHECK(fields.finish_lenient());
  return facts;
}

/// Percents travel as whole numbers.
Json to_json(const ThinPoolFacts& facts) {
  return {{"size", facts.size.count()},
          {"used", facts.used.count()},
          {"metadata_hundredths", static_cast<std::uint32_t>(std::lround(std::clamp(facts.metadata_percent, 0.0, 100.0) * 100.0))},
          {"chunk", facts.chunk.count()},
          {"waits_when_full", facts.waits_when_full},
          {"made_by_mcv", facts.made_by_mcv}};
}

Json sizes_to_json(const std::map<std::string, Bytes>& sizes) {
  Json json = Json::object();
  for (const auto& [key, size] : sizes) json[key] = size.count();
  return json;
}

}  // namespace

Json to_json(const VolumeFacts& facts) {
  return {{"role", to_text(facts.role)},
          {"peer_role", to_text(facts.peer_role)},
          {"disk", to_text(facts.disk)},
          {"peer_disk", to_text(facts.peer_disk)},
          {"connection", to_text(facts.connection)},
          {"replication", to_text(facts.replication)},
          {"suspended", facts.suspended.words()},
          {"out_of_sync_kib", facts.out_of_sync_kib}};
}

Json to_json(const VmFacts& facts) {
  Json json = {{"state", to_text(facts.state)}, {"hypervisor", facts.hypervisor}, {"pid", facts.pid}, {"last_exit", to_text(facts.last_exit)}};
  if (facts.started_with) json["started_with"] = facts.started_with->to_json();
  return json;
}

Json to_json(const NodeFacts& facts) {
  Json vms = Json::object();
  for (const auto& [name, vm] : facts.vms) vms[name] = to_json(vm);
  Json volumes = Json::object();
  for (const auto& [name, volume] : facts.volumes) volumes[name] = to_json(volume);
  Json pools = Json::object();
  for (const auto& [name, pool] : facts.pools) pools[name] = to_json(pool);
  Json thin_pools = Json::object();
  for (const auto& [place, pool] : facts.thin_pools) thin_pools[place] = to_json(pool);
  Json json = {{"name", facts.name.str()},
          {"cpus", facts.cpus},
          {"memory_total", facts.memory_total.count()},
          {"memory_available", facts.memory_available.count()},
          {"bridges", facts.bridges},
          {"volume_group_free", sizes_to_json(facts.volume_group_free)},
          {"files_sha256", facts.files_sha256},
          {"hypervisors", facts.hypervisors},
          {"kvm", facts.kvm},
          {"vms", vms},
          {"volumes", volumes},
          {"backing", sizes_to_json(facts.backing)},
          {"written", sizes_to_json(facts.written)},
          {"thin_pools", std::move(thin_pools)},
          {"pools", pools}};
  if (facts.volume_groups_unknown) {
    const Error& why = *facts.volume_groups_unknown;
    json["volume_groups_unknown"] = {{"code", to_text(why.code())}, {"text", why.message()}, {"next", why.next()}};
  }
  return json;
}

Result<NodeFacts> node_facts_from_json(const Json& json) {
  Fields fields(json, "facts");
  NodeFacts facts;
  MCV_TRY(facts.name, NodeName::parse(fields.required<std::string>("name")));
  facts.cpus = fields.required<std::uint32_t>("cpus");
  facts.memory_total = Bytes(fields.required<std::uint64_t>("memory_total"));
  facts.memory_available = Bytes(fields.required<std::uint64_t>("memory_available"));
  facts.bridges = fields.required<std::vector<std::string>>("bridges");
  facts.hypervisors = fields.required<std::vector<std::string>>("hypervisors");
  facts.kvm = fields.required<bool>("kvm");
  MCV_CHECK(read_map(fields, "volume_group_free", facts.volume_group_free, bytes_from_json));
  MCV_CHECK(read_map(fields, "files_sha256", facts.files_sha256, text_from_json));
  MCV_CHECK(read_map(fields, "vms", facts.vms, vm_facts_from_json));
  MCV_CHECK(read_map(fields, "volumes", facts.volumes, volume_facts_from_json));
  MCV_CHECK(read_map(fields, "backing", facts.backing, bytes_from_json));
  MCV_CHECK(read_map(fields, "written", facts.written, bytes_from_json));
  MCV_CHECK(read_map(fields, "thin_pools", facts.thin_pools, thin_pool_from_json));
  MCV_CHECK(read_map(fields, "pools", facts.pools, pool_facts_from_json));
  if (const Json* unknown = fields.object("volume_groups_unknown", false)) {
    Fields why(*unknown, "facts");
    const ErrorCode code = error_code_from_text(why.required<std::string>("code"));
    facts.volume_groups_unknown = Error(code, why.required<std::string>("text")).with_next(why.optional_or<std::string>("next", ""));
    MCV_CHECK(why.finish_lenient());
  }
  MCV_CHECK(fields.finish_lenient());
  return facts;
}

}  // namespace mcv
