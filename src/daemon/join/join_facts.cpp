// SPDX-License-Identifier: Apache-2.0
#include "daemon/join/join_facts.h"

#include <fmt/format.h>

namespace mcv::join {

std::vector<std::string> own_objects(const ClusterState& state) {
  const struct { Kind kind; const char* name; } kinds[] = {{Kind::vm, "VM"}, {Kind::volume, "volume"}, {Kind::pool, "storage pool"}, {Kind::network, "network"}};
  std::vector<std::string> found;
  for (const auto& [kind, name] : kinds) {
    const std::size_t count = state.all(kind).size();
    if (count > 0) found.push_back(fmt::format("{} {}{}", count, name, count == 1 ? "" : "s"));
  }
  return found;
}

Json to_json(const JoinFacts& facts) {
  Json thin_pools = Json::object();
  for (const auto& [name, size] : facts.thin_pools) thin_pools[name] = size.count();
  return {{"node", facts.node.to_json()},
          {"version", facts.version},
          {"format", facts.format},
          {"written_format", facts.written_format},
          {"wall_seconds", facts.wall_seconds},
          {"in_cluster", facts.in_cluster},
          {"own_objects", facts.own_objects},
          {"foreign_corosync", facts.foreign_corosync},
          {"foreign_drbd", facts.foreign_drbd},
          {"drbd_version", facts.drbd_version},
          {"cpu_model", facts.cpu_model},
          {"cpu_flags", facts.cpu_flags},
          {"addresses", facts.addresses},
          {"cluster_mtu", facts.cluster_mtu},
          {"thin_pools", std::move(thin_pools)},
          {"drbd_mtu", facts.drbd_mtu},
          {"reaches_drbd", facts.reaches_drbd ? Json(*facts.reaches_drbd) : Json()},
          {"calls_back", facts.calls_back},
          {"facts", mcv::to_json(facts.facts)}};
}

Result<JoinFacts> join_facts_from_json(const Json& json) {
  Fields fields(json, "join facts");
  JoinFacts facts;
  facts.version = fields.required<std::string>("version");
  facts.format = fields.required<std::uint64_t>("format");
  facts.written_format = fields.optional_or<std::uint64_t>("written_format", 1);
  facts.wall_seconds = fields.required<std::int64_t>("wall_seconds");
  facts.in_cluster = fields.required<bool>("in_cluster");
  facts.own_objects = fields.required<std::vector<std::string>>("own_objects");
  facts.foreign_corosync = fields.required<bool>("foreign_corosync");
  facts.foreign_drbd = fields.required<std::vector<std::string>>("foreign_drbd");
  facts.drbd_version = fields.required<std::string>("drbd_version");
  facts.cpu_model = fields.required<std::string>("cpu_model");
  facts.cpu_flags = fields.required<std::vector<std::string>>("cpu_flags");
  facts.addresses = fields.required<std::vector<std::string>>("addresses");
  facts.cluster_mtu = fields.required<std::uint32_t>("cluster_mtu");
  // Another build may not know these: its version is what refuses it, by the table.
  facts.drbd_mtu = fields.optional_or<std::uint32_t>("drbd_mtu", 0);
  facts.reaches_drbd = fields.optional<bool>("reaches_drbd");
  facts.calls_back = fields.required<bool>("calls_back");
  const Json* node = fields.object("node");
  const Json* node_facts = fields.object("facts");
  const Json* thin_pools = fields.object("thin_pools");
  MCV_CHECK(fields.finish_lenient());
  for (const auto& item : thin_pools->items()) {
    if (item.value().is_number_unsigned()) facts.thin_pools[item.key()] = Bytes(item.value().get<std::uint64_t>());
  }
  MCV_TRY(facts.node, NodeRecord::from_json(*node));
  MCV_TRY(facts.facts, node_facts_from_json(*node_facts));
  return facts;
}

}  // namespace mcv::join
