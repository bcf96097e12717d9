// SPDX-License-Identifier: Apache-2.0
#include "daemon/routes/views.h"

#include <algorithm>
#include <fmt/format.h>

#include "cluster/authority/settlement.h"
#include "cluster/authority/takeover.h"
#include "cluster/core/json_list.h"
#include "cluster/core/json_value.h"
#include "cluster/model/verify_policy.h"
#include "cluster/store/abilities.h"
#include "daemon/node/node.h"
#include "daemon/routes/alone_view.h"
#include "daemon/routes/volume_sight.h"
#include "daemon/routes/warnings.h"
#include "storage/lvm/backing.h"
#include "storage/lvm/pool.h"

namespace mcv::views {

namespace asio = boost::asio;

namespace {

/// What the gate goes by: a mismatch that both nodes know, else what one of them has seen.
Json verdict_json(const VolumeRecord& volume, const VerifyGate& gate) {
  Json ranges = Json::array();
  const auto add = [&ranges](const std::vector<SectorRange>& list) {
    for (const SectorRange& range : list) ranges.push_back({{"start", range.start}, {"count", range.count}});
  };
  const auto suspect = volume.verdict.kind == VerdictKind::mismatch ? std::nullopt : gate.find(volume.name);
  if (suspect) {
    add(suspect->ranges);
    return {{"kind", "suspect"}, {"wall_seconds", suspect->wall_seconds}, {"node", suspect->node}, {"ranges", std::move(ranges)}};
  }
  add(volume.verdict.ranges);
  return {{"kind", to_text(volume.verdict.kind)}, {"wall_seconds", volume.verdict.wall_seconds}, {"node", volume.verdict.node}, {"ranges", std::move(ranges)}};
}


Json nullable(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

/// What is known of a guest: its owner says; a node that does not answer leaves it unknown.
VmFacts guest_facts(const VmRecord& record, const plans::Facts& facts) {
  VmFacts unknown;
  const auto owner = facts.find(record.owner.str());
  if (owner == facts.end()) return unknown;
  const auto found = owner->second.vms.find(record.name.str());
  if (found != owner->second.vms.end()) return found->second;
  VmFacts stopped;
  stopped.state = RunState::stopped;
  return stopped;
}

std::string_view state_text(const VmRecord& record, const VmFacts& guest) { return record.deleting ? "deleting" : to_text(guest.state); }

Json holds_json(const IoHold& hold, const VolumeRecord& volume) {
  Json list = Json::array();
  for (const HoldAdvice& advice : explain(hold, volume.name, volume.resource())) {
    list.push_back({{"reason", to_text(advice.reason)}, {"text", advice.text}, {"next", advice.next}});
  }
  return list;
}

Json volume_json(const Node& node, const AloneView& alone, const VolumeRecord& volume, const VmRecord& vm, const plans::Facts& facts) {
  const ClusterState& state = node.shared.current();
  const auto pool = state.pool(volume.pool);
  const lvm::Pool there = pool.ok() ? lvm::pool_on(*pool, vm.owner) : lvm::Pool();
  Json json = {{"name", volume.name.str()},
               {"pool", volume.pool.str()},
               {"kind", to_text(volume.kind)},
               {"size", volume.size.count()},
               {"device", lvm::guest_path(there, volume)}};
  if (volume.kind == VolumeKind::local) return json;
  json["minor"] = volume.minor;
  json["port"] = volume.port;
  json["verdict"] = verdict_json(volume, node.verify_gate);
  json["verify_overdue"] = verify_overdue(volume, state, node.host.clock.wall_seconds()).has_value();
  json["alone_since"] = alone.since(volume.name);
  if (facts.contains(vm.owner.str())) {
    const VolumeFacts* seen = seen_on(vm.owner, volume.name, facts);
    const IoHold hold = seen != nullptr ? seen->suspended : IoHold();
    json["redundant"] = seen != nullptr && seen->redundant() && alone.is_settled(volume.name);
    json["one_leg"] = !state.is_cluster();
    json["io_held"] = hold.held();
    json["holds"] = holds_json(hold, volume);
    if (const auto older = older_seen_by(state, vm.owner, volume.name, seen)) json["older_copy_on"] = older->node;
  }
  return json;
}

/// What a list shows of a disk: what is in order is left out.
Json brief_volume_json(const Node& node, const AloneView& alone, const VolumeRecord& volume, const VmRecord& vm, const plans::Facts& facts) {
  Json json = Json::object();
  json["name"] = volume.name.str();
  json["kind"] = to_text(volume.kind);
  json["size"] = volume.size.count();
  if (volume.kind == VolumeKind::local) return json;
  if (volume.verdict.kind == VerdictKind::mismatch) json["verdict"] = {{"kind", to_text(volume.verdict.kind)}};
  else if (node.verify_gate.find(volume.name)) json["verdict"] = {{"kind", "suspect"}};
  if (Json since = alone.since(volume.name); !since.empty()) json["alone_since"] = std::move(since);
  if (!facts.contains(vm.owner.str())) return json;
  const VolumeFacts* seen = seen_on(vm.owner, volume.name, facts);
  if (seen == nullptr || !seen->redundant() || !alone.is_settled(volume.name)) json["redundant"] = false;
  if (seen != nullptr && seen->suspended.held()) {
    json["io_held"] = true;
    json["holds"] = holds_json(seen->suspended, volume);
  }
  if (const auto older = older_seen_by(node.shared.current(), vm.owner, volume.name, seen)) json["older_copy_on"] = older->node;
  return json;
}

}  // namespace

Json networks(const ClusterState& state, const plans::Facts& facts, const access::Sight& sight) {
  Json list = Json::array();
  for (const auto& [key, entry] : state.all(Kind::network)) {
    if (!is_used(state, NetworkName::trusted(key), sight)) continue;
    const auto network = NetworkRecord::from_json(entry.value);
    if (!network.ok()) continue;
    Json realised = Json::object();
    for (const auto& [name, seen] : facts) realised[name] = std::find(seen.bridges.begin(), seen.bridges.end(), network->bridge) != seen.bridges.end();
    list.push_back({{"name", key}, {"bridge", network->bridge}, {"realised", realised}});
  }
  return {{"networks", list}};
}

Json drbd(const Node& node, const access::Sight& sight) {
  const ClusterState& state = node.shared.current();
  const std::map<std::string, VolumeFacts> volumes = node.drbd.volumes();
  const std::int64_t now = node.host.clock.wall_seconds();
  Json list = Json::array();
  for (const VolumeRecord& volume : state.volumes()) {
    if (volume.kind != VolumeKind::drbd || !sight.covers(volume.vm)) continue;
    const auto seen = volumes.find(volume.name.str());
    Json json = seen == volumes.end() ? to_json(VolumeFacts{}) : to_json(seen->second);
    json["configured"] = seen != volumes.end();
    json["holds"] = seen == volumes.end() ? Json::array() : holds_json(seen->second.suspended, volume);
    if (const auto older = older_seen_by(state, node.self(), volume.name, seen == volumes.end() ? nullptr : &seen->second)) {
      json["older_copy"] = {{"node", older->node}, {"text", older->text}, {"next", older->next}};
    }
    if (const auto lost = lost_seen_by(state, node.self(), volume, seen == volumes.end() ? nullptr : &seen->second)) {
      json["lost_disk"] = {{"node", lost->node}, {"text", lost->text}, {"next", lost->next}};
    }
    json["one_leg"] = !state.is_cluster();
    json["volume"] = volume.name.str();
    json["vm"] = volume.vm.str();
    json["minor"] = volume.minor;
    json["port"] = volume.port;
    json["size"] = volume.size.count();
    json["verdict"] = verdict_json(volume, node.verify_gate);
    json["verify_overdue"] = verify_overdue(volume, state, now).has_value();
    list.push_back(std::move(json));
  }
  return {{"enabled", state.setting("drbd") == "enabled"}, {"volumes", list}};
}

namespace {

/// What the guest does not have yet; null where it is not known what its VMM was started with.
Json pending_json(const VmRecord& record, const VmFacts& guest) {
  if (guest.state == RunState::stopped) return Json::array();
  if (!guest.started_with) return {};
  Json list = Json::array();
  for (const PendingChange& change : pending_until_restart(record, *guest.started_with)) {
    list.push_back({{"name", change.name}, {"running", change.running}, {"configured", change.configured}});
  }
  return list;
}

Json lock_json(const VmRecord& record) {
  if (!record.lock) return {};
  Json json = {{"by", record.lock->by}, {"reason", record.lock->reason}, {"since", nullptr}};
  if (record.lock->since != 0) json["since"] = record.lock->since;
  return json;
}

Json vm_json(const Node& node, const AloneView& alone, const VmRecord& record, const plans::Facts& facts) {
  const ClusterState& state = node.shared.current();
  const VmFacts guest = guest_facts(record, facts);
  Json json = record.to_json();
  Json list = Json::array();
  for (const VolumeRecord& volume : state.volumes_of(record)) list.push_back(volume_json(node, alone, volume, record, facts));
  json["volumes"] = std::move(list);
  json["configured_hypervisor"] = to_text(record.hypervisor);
  json["hypervisor"] = guest.hypervisor;
  json["state"] = state_text(record, guest);
  json["last_exit"] = to_text(guest.last_exit);
  json.erase("deleting");
  json["lock"] = lock_json(record);
  json["pending"] = pending_json(record, guest);
  Json warnings = Json::array();
  for (const VolumeRecord& volume : state.volumes_of(record)) {
    if (const auto said = volume.kind == VolumeKind::drbd ? alone.text(volume, seen_on(node.self(), volume.name, facts)) : std::nullopt) warnings.push_back(said->text + "; " + said->next);
    if (std::string text = gate_text(volume, node.verify_gate); !text.empty()) warnings.push_back(std::move(text));
    if (auto overdue = verify_overdue(volume, state, node.host.clock.wall_seconds())) warnings.push_back(std::move(*overdue));
  }
  for (const Json& volume : json["volumes"]) {
    if (!volume.contains("holds")) continue;
    for (const Json& hold : volume["holds"]) warnings.push_back(value_in(hold, "text", "") + "; " + value_in(hold, "next", ""));
  }
  for (const VolumeRecord& volume : state.volumes_of(record)) {
    const VolumeFacts* seen = seen_on(record.owner, volume.name, facts);
    if (const auto older = older_seen_by(state, record.owner, volume.name, seen)) warnings.push_back(older->text + "; " + older->next);
    if (const auto lost = volume.kind == VolumeKind::drbd ? lost_seen_by(state, record.owner, volume, seen) : std::nullopt) warnings.push_back(lost->text + "; " + lost->next);
  }
  json["warnings"] = std::move(warnings);
  return json;
}

}  // namespace

Json vm(const Node& node, const VmRecord& record, const plans::Facts& facts) { return vm_json(node, AloneView(node), record, facts); }

std::string vms(const Node& node, const plans::Facts& facts, const access::Sight& sight) {
  const AloneView alone(node);
  JsonListText list("vms");
  for (const VmRecord& record : node.shared.current().vms()) {
    if (sight.covers(record.name)) list.add(vm_json(node, alone, record, facts));
  }
  return std::move(list).finish();
}

namespace {

/// Field by field: a list of a thousand is made for whoever types `vm list`, and a braced list is built twice.
Json brief_vm_json(const Node& node, const AloneView& alone, const VmRecord& record, const plans::Facts& facts) {
  const VmFacts guest = guest_facts(record, facts);
  Json json = Json::object();
  json["name"] = record.name.str();
  json["owner"] = record.owner.str();
  json["state"] = state_text(record, guest);
  json["cpus"] = record.cpus;
  json["memory"] = record.memory.count();
  Json& volumes = json["volumes"] = Json::array();
  for (const VolumeRecord& volume : node.shared.current().volumes_of(record)) volumes.push_back(brief_volume_json(node, alone, volume, record, facts));
  for (const NicRecord& nic : record.nics) json["nics"].push_back({{"network", nic.network.str()}});
  if (guest.last_exit == ExitReason::crashed) json["last_exit"] = to_text(guest.last_exit);
  if (record.lock) json["lock"] = lock_json(record);
  if (Json pending = pending_json(record, guest); !pending.empty()) json["pending"] = std::move(pending);
  return json;
}

}  // namespace

std::string brief_vms(const Node& node, const plans::Facts& facts, const access::Sight& sight) {
  const AloneView alone(node);
  JsonListText list("vms", {{"view", "brief"}});
  for (const VmRecord& record : node.shared.current().vms()) {
    if (sight.covers(record.name)) list.add(brief_vm_json(node, alone, record, facts));
  }
  return std::move(list).finish();
}

Json nodes(const ClusterState& state, const plans::Facts& facts, const NodeName& self, const access::Sight& sight) {
  Json list = Json::array();
  for (const NodeRecord& record : state.nodes()) {
    const auto seen = facts.find(record.name.str());
    const auto left = authority::left(state, record.name);
    Json json = {{"name", record.name.str()},
                 {"id", record.id},
                 {"cluster_address", sight.everything() ? record.cluster_address : std::string()},
                 {"drbd_address", sight.everything() ? record.replication_address() : std::string()},
                 {"this_node", record.name == self},
                 {"status", seen != facts.end() ? "online" : left ? "left" : "offline"},
                 {"left_since", nullptr}};
    if (left) json["left_since"] = left->wall_seconds;
    if (seen != facts.end() && sight.everything()) {
      json["cpus"] = seen->second.cpus;
      json["memory_total"] = seen->second.memory_total.count();
      json["memory_available"] = seen->second.memory_available.count();
      json["hypervisors"] = seen->second.hypervisors;
      json["kvm"] = seen->second.kvm;
      Json groups = Json::array();
      for (const auto& [name, free] : seen->second.volume_group_free) groups.push_back({{"name", name}, {"free", free.count()}});
      if (!groups.empty()) json["volume_groups"] = std::move(groups);  // not looked at, or none
    }
    list.push_back(std::move(json));
  }
  return {{"nodes", list}};
}

namespace {

/// The newest format each node's build knows; null for a node that is not in contact.
Json formats_known(const Node& node) {
  Json known = {{node.self().str(), node.shared.abilities().format}};
  if (const auto other = node.shared.other_build()) known[other->node] = other->knows ? Json(other->knows->format) : Json();
  return known;
}

/// How old the last comparisons are, and what the cluster is told about them.
Json verify_json(const ClusterState& state, const access::Sight& sight) {
  const VerifyPolicy policy = verify_policy(state);
  std::size_t total = 0;
  std::size_t never = 0;
  Json oldest;
  for (const VolumeRecord& volume : state.volumes()) {
    if (volume.kind != VolumeKind::drbd || !sight.covers(volume.vm)) continue;
    ++total;
    if (volume.verdict.kind == VerdictKind::never) ++never;
    else if (oldest.is_null() || volume.verdict.wall_seconds < oldest.get<std::int64_t>()) oldest = volume.verdict.wall_seconds;
  }
  return {{"age_limit_seconds", policy.age_limit_seconds ? Json(*policy.age_limit_seconds) : Json()},
          {"parallel", policy.parallel},
          {"calendar", policy.calendar ? Json(*policy.calendar) : Json()},
          {"volumes", total},
          {"never", never},
          {"oldest_wall_seconds", std::move(oldest)}};
}

}  // namespace

Json info(const Node& node, const plans::Facts& facts, const access::Sight& sight) {
  const ClusterState& state = node.shared.current();
  const Position position = node.shared.position();
  const Link link = node.shared.link();
  std::size_t total = 0;
  std::size_t running = 0;
  for (const VmRecord& record : state.vms()) {
    if (!sight.covers(record.name)) continue;
    ++total;
    if (guest_facts(record, facts).state == RunState::running) ++running;
  }
  Json peer;
  if (const auto record = node.peer_record()) {
    const bool confirmed_down = authority::authority_over_peer(node.authority.standpoint()) == authority::Authority::by_word;
    peer = {{"name", record->name.str()}, {"reachable", facts.contains(record->name.str())}, {"in_group", link.peer_in_group}, {"confirmed_down", confirmed_down}, {"left_since", nullptr}};
    if (const auto left = authority::left(state, record->name)) peer["left_since"] = left->wall_seconds;
  }
  return {{"node", node.self().str()},
          {"version", node.settings.version},
          {"cluster_state", state.is_cluster() ? "cluster" : "single"},
          {"link", to_text(link.state)},
          {"generation", position.generation.counter},
          {"index", position.index},
          {"hash", position.hash},
          {"format", format_of(state)},
          {"formats_known", formats_known(node)},
          {"peer", peer},
          {"peer_loss", to_text(peer_loss(state))},
          {"nodes", nodes(state, facts, node.self(), sight).at("nodes")},
          {"drbd", {{"enabled", state.setting("drbd") == "enabled"}}},
          {"verify", verify_json(state, sight)},
          {"vms", {{"total", total}, {"running", running}}},
          {"hypervisors", node.guests.installed()},
          {"warnings", warnings_of(node, facts, sight)}};
}

namespace {

/// A node that could not look, or did not answer, knows nothing of its pools: that is not "absent".
Json unknown_place(const NodeName& node, bool answers, const std::string& why) { return {{"node", node.str()}, {"answers", answers}, {"problem", why}}; }

asio::awaitable<Json> pool_here(Node& node, PoolRecord record) {
  lvm::Pool pool = lvm::pool_on(record, node.self());
  const std::string group = pool.volume_group;
  auto usage = co_await lvm::pool_usage(node.host, std::move(pool));
  if (!usage.ok() && usage.error().code() != ErrorCode::pool_missing) co_return unknown_place(node.self(), true, usage.error().message());
  Json here = {{"node", node.self().str()}, {"answers", true}, {"present", usage.ok()}, {"volume_group", group}};
  if (!usage.ok()) co_return here;
  here["size"] = usage->size.count();
  here["free"] = usage->free.count();
  here["data_percent"] = nullable(usage->data_percent);
  here["metadata_percent"] = nullable(usage->metadata_percent);
  co_return here;
}

/// The other node's, by pool.
asio::awaitable<Result<Json>> places_there(Node& node, NodeRecord peer) {
  MCV_CO_TRY(const Json answer, co_await node.peer.post(std::move(peer), "/peer/v1/pools", Json::object(), PeerClient::quick));
  if (!answer.is_object() || !answer.contains("places") || !answer["places"].is_object()) co_return Error(ErrorCode::bad_output, "it gave no list of its pools");
  co_return answer["places"];
}

}  // namespace

asio::awaitable<Result<Json>> pool_places(Node& node) {
  Json places = Json::object();
  const auto records = node.shared.current().all(Kind::pool);
  for (const auto& [key, entry] : records) {
    MCV_CO_TRY(PoolRecord record, PoolRecord::from_json(entry.value));
    places[key] = co_await pool_here(node, std::move(record));
  }
  co_return places;
}

asio::awaitable<Result<Json>> pools(Node& node, access::Sight sight) {
  MCV_CO_TRY(const Json here, co_await pool_places(node));
  const std::optional<NodeRecord> peer = node.peer_record();
  Result<Json> there = Json::object();
  if (peer) there = co_await places_there(node, *peer);
  Json list = Json::array();
  const auto records = node.shared.current().all(Kind::pool);
  for (const auto& [key, entry] : records) {
    MCV_CO_TRY(const PoolRecord record, PoolRecord::from_json(entry.value));
    if (!is_used(node.shared.current(), record.name, sight)) continue;
    Json places = Json::array();
    if (here.contains(key)) places.push_back(here[key]);
    if (peer && !there.ok()) places.push_back(unknown_place(peer->name, false, there.error().message()));
    else if (peer && there->contains(key)) places.push_back((*there)[key]);
    else if (peer) places.push_back(unknown_place(peer->name, true, peer->name.str() + " does not know this pool yet"));
    list.push_back({{"name", key},
                    {"kind", to_text(record.kind)},
                    {"volume_group", record.volume_group_on(node.self())},
                    {"thin_pool", record.thin_pool},
                    {"path", record.path},
                    {"nodes", std::move(places)}});
  }
  Json body = {{"pools", std::move(list)}};
  co_return body;
}

}  // namespace mcv::views
