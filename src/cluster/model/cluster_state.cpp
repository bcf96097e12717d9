// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/cluster_state.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "cluster/core/json_value.h"
#include "cluster/core/sha256.h"
#include "cluster/model/access_records.h"
#include "cluster/model/ports.h"
#include "cluster/model/removal.h"

namespace mcv {
namespace {

constexpr std::uint32_t first_drbd_minor = 100;

const std::map<std::string, ClusterState::Entry>& no_objects() {
  static const std::map<std::string, ClusterState::Entry> empty;
  return empty;
}

/// The lowest number nobody uses, counted from `first`: deterministic, so both nodes agree without talking.
std::uint32_t lowest_free(const std::set<std::uint32_t>& used, std::uint32_t first) {
  std::uint32_t candidate = first;
  while (used.contains(candidate)) ++candidate;
  return candidate;
}

Status check_references(const ClusterState& state, const Mutation& mutation) {
  const auto refuse = [&](std::string_view user) {
    return Error(ErrorCode::in_use, fmt::format("the {} {} is used by {}", to_text(mutation.kind), mutation.key, user));
  };
  if (mutation.value || mutation.patch) return success();
  if (mutation.kind == Kind::network) {
    for (const VmRecord& vm : state.vms()) {
      for (const NicRecord& nic : vm.nics) {
        if (nic.network.str() == mutation.key) return refuse("VM " + vm.name.str());
      }
    }
  }
  if (mutation.kind == Kind::node) {
    for (const VmRecord& vm : state.vms()) {
      if (vm.owner.str() == mutation.key) return refuse("VM " + vm.name.str());
    }
    for (const VolumeRecord& volume : state.volumes()) {
      if (volume.kind == VolumeKind::local && volume.node == mutation.key) return refuse("volume " + volume.name.str());
    }
  }
  if (mutation.kind == Kind::pool) {
    for (const VolumeRecord& volume : state.volumes()) {
      if (volume.pool.str() == mutation.key) return refuse("volume " + volume.name.str());
    }
  }
  return success();
}

/// From the announcement of a removal to its end nothing new is made and no VM changes its owner: what the removal was planned
/// for is what it finds, whichever node the change comes from.
Status check_removal(const ClusterState& before, const ClusterState& after, const Mutation& mutation) {
  const auto leaver = being_removed(before);
  if (!leaver || being_removed(after) != leaver) return success();
  const ClusterState::Entry* old_entry = before.find(mutation.kind, mutation.key);
  const ClusterState::Entry* new_entry = after.find(mutation.kind, mutation.key);
  if (mutation.kind == Kind::setting || new_entry == nullptr) return success();
  const bool moves = mutation.kind == Kind::vm && old_entry != nullptr && value_in(old_entry->value, "owner", "") != value_in(new_entry->value, "owner", "");
  if (old_entry != nullptr && !moves) return success();
  return Error(ErrorCode::busy, fmt::format("{} is being removed from the cluster: the {} {} is not {} meanwhile", leaver->str(), to_text(mutation.kind), mutation.key, moves ? "moved" : "made"))
      .with_safe("nothing was changed")
      .with_next("hvctl op list");
}

Status check_value(const Mutation& mutation, const Json& value) {
  Status status = success();
  std::string name;
  switch (mutation.kind) {
    case Kind::node: if (auto r = NodeRecord::from_json(value); r.ok()) name = r->name.str(); else status = r.error(); break;
    case Kind::network: if (auto r = NetworkRecord::from_json(value); r.ok()) name = r->name.str(); else status = r.error(); break;
    case Kind::pool: if (auto r = PoolRecord::from_json(value); r.ok()) name = r->name.str(); else status = r.error(); break;
    case Kind::vm: if (auto r = VmRecord::from_json(value); r.ok()) name = r->name.str(); else status = r.error(); break;
    case Kind::volume: if (auto r = VolumeRecord::from_json(value); r.ok()) name = r->name.str(); else status = r.error(); break;
    case Kind::setting: return check_access_value(mutation.key, value);
  }
  if (status.ok() && name != mutation.key) {
    return Error(ErrorCode::bad_request, fmt::format("the record of {} is filed under '{}'", name, mutation.key));
  }
  return status;
}

Status check_when(const Mutation& mutation, const Json& current) {
  for (const auto& field : mutation.when->items()) {
    if (current.is_object() && current.value(field.key(), Json()) == field.value()) continue;
    return Error(ErrorCode::revision_conflict,
                 fmt::format("the {} of {} {} was changed meanwhile", field.key(), to_text(mutation.kind), mutation.key))
        .with_safe("nothing was changed by this request")
        .with_next("repeat the command");
  }
  return success();
}

}  // namespace

std::string_view to_text(Kind kind) {
  switch (kind) {
    case Kind::node: return "node";
    case Kind::network: return "network";
    case Kind::pool: return "pool";
    case Kind::vm: return "vm";
    case Kind::volume: return "volume";
    case Kind::setting: return "setting";
  }
  return "";
}

Result<Kind> kind_from_text(std::string_view text) {
  for (const Kind kind : {Kind::node, Kind::network, Kind::pool, Kind::vm, Kind::volume, Kind::setting}) {
    if (to_text(kind) == text) return kind;
  }
  return Error(ErrorCode::format_unknown, fmt::format("'{}' is not a kind of record this build knows", text));
}

Json Mutation::to_json() const {
  Json json = {{"kind", to_text(kind)}, {"key", key}};
  if (expected_revision) json["expect"] = *expected_revision;
  if (value) json["value"] = *value;
  if (patch) json["patch"] = *patch;
  if (when) json["when"] = *when;
  return json;
}

Result<Mutation> Mutation::from_json(const Json& json) {
  Fields fields(json, "mutation");
  Mutation mutation;
  MCV_TRY(mutation.kind, kind_from_text(fields.required<std::string>("kind")));
  mutation.key = fields.required<std::string>("key");
  mutation.expected_revision = fields.optional<std::uint64_t>("expect");
  if (json.contains("value")) mutation.value = json.at("value");
  if (json.contains("patch")) mutation.patch = json.at("patch");
  if (json.contains("when")) mutation.when = json.at("when");
  MCV_CHECK(fields.finish_lenient());
  return mutation;
}

std::string Change::encode() const {
  Json list = Json::array();
  for (const Mutation& mutation : mutations) list.push_back(mutation.to_json());
  Json json = {{"id", id}, {"summary", summary}, {"mutations", list}};
  if (audit) json["audit"] = *audit;
  return canonical(json);
}

Result<Change> Change::decode(std::string_view text) {
  MCV_TRY(const Json json, parse_json(text));
  Fields fields(json, "change");
  Change change;
  change.id = fields.required<std::string>("id");
  change.summary = fields.optional_or<std::string>("summary", "");
  const Json* list = fields.array("mutations");
  MCV_CHECK(fields.finish_lenient());
  if (json.contains("audit")) change.audit = json.at("audit");
  for (const Json& item : *list) {
    MCV_TRY(Mutation mutation, Mutation::from_json(item));
    change.mutations.push_back(std::move(mutation));
  }
  return change;
}

Status ClusterState::check(const Change& change) const {
  ClusterState copy = *this;
  return copy.apply(change, 0);
}

namespace {

/// Decodes again what a change touched, and nothing else: it is applied several times on its way, with a thousand records beside it.
template <typename Record>
void renew(std::vector<Record>& records, const std::string& key, const ClusterState::Entry* entry) {
  const auto place = std::lower_bound(records.begin(), records.end(), key, [](const Record& record, const std::string& wanted) { return record.name.str() < wanted; });
  const bool is_there = place != records.end() && place->name.str() == key;
  auto record = entry == nullptr ? Result<Record>(Error(ErrorCode::not_found, key)) : Record::from_json(entry->value);
  if (!record.ok()) {
    if (is_there) records.erase(place);
  } else if (is_there) {
    *place = std::move(*record);
  } else {
    records.insert(place, std::move(*record));
  }
}

}  // namespace

Status ClusterState::apply(const Change& change, std::uint64_t index) {
  ClusterState result = *this;
  auto& next = result.objects_;
  std::set<std::uint32_t> minors, ports;
  for (const VolumeRecord& volume : volumes_) {
    minors.insert(volume.minor);
    ports.insert(volume.port);
  }
  for (const Mutation& mutation : change.mutations) {
    auto& objects = next[mutation.kind];
    const auto found = objects.find(mutation.key);
    const std::uint64_t current = found == objects.end() ? 0 : found->second.revision;
    if (mutation.expected_revision && *mutation.expected_revision != current) {
      if (*mutation.expected_revision == 0) {
        return Error(ErrorCode::already_exists, fmt::format("the {} {} exists already", to_text(mutation.kind), mutation.key));
      }
      return Error(ErrorCode::revision_conflict,
                   fmt::format("the {} {} was changed meanwhile", to_text(mutation.kind), mutation.key))
          .with_safe("nothing was changed by this request")
          .with_next("repeat the command");
    }
    if (mutation.when) {
      MCV_CHECK(check_when(mutation, found == objects.end() ? Json() : found->second.value));
    }
    if (!mutation.value && !mutation.patch) {
      objects.erase(mutation.key);
      continue;
    }
    if (mutation.patch && found == objects.end()) {
      return Error(ErrorCode::not_found, fmt::format("the {} {} does not exist any more", to_text(mutation.kind), mutation.key));
    }
    Entry entry{index, mutation.patch ? found->second.value : *mutation.value};
    if (mutation.patch) entry.value.merge_patch(*mutation.patch);
    MCV_CHECK(check_value(mutation, entry.value));
    if (mutation.kind == Kind::volume && entry.value["kind"] == "drbd" && entry.value["port"] == 0) {
      if (volumes_.size() >= drbd_volume_limit) return Error(ErrorCode::too_large, fmt::format("there are {} volumes already", drbd_volume_limit));
      const std::uint32_t minor = lowest_free(minors, first_drbd_minor);
      const std::uint32_t port = lowest_free(ports, first_drbd_port);
      minors.insert(minor);
      ports.insert(port);
      entry.value["minor"] = minor;
      entry.value["port"] = port;
    }
    objects[mutation.key] = std::move(entry);
  }
  for (const Mutation& mutation : change.mutations) {
    const Entry* entry = result.find(mutation.kind, mutation.key);
    if (mutation.kind == Kind::vm) renew(result.vms_, mutation.key, entry);
    else if (mutation.kind == Kind::volume) renew(result.volumes_, mutation.key, entry);
    else result.decode(mutation.kind);
  }
  // After the whole change, so that a VM and its volumes may go in any order within one.
  for (const Mutation& mutation : change.mutations) {
    MCV_CHECK(check_references(result, mutation));
    MCV_CHECK(check_access_references(result, mutation));
    MCV_CHECK(check_removal(*this, result, mutation));
  }
  *this = std::move(result);
  return success();
}

const ClusterState::Entry* ClusterState::find(Kind kind, const std::string& key) const {
  const auto& objects = all(kind);
  const auto found = objects.find(key);
  return found == objects.end() ? nullptr : &found->second;
}

std::uint64_t ClusterState::revision(Kind kind, const std::string& key) const {
  const Entry* entry = find(kind, key);
  return entry == nullptr ? 0 : entry->revision;
}

const std::map<std::string, ClusterState::Entry>& ClusterState::all(Kind kind) const {
  const auto found = objects_.find(kind);
  return found == objects_.end() ? no_objects() : found->second;
}

namespace {

template <typename Record>
Result<Record> get(const ClusterState& state, Kind kind, const std::string& key, std::string_view list_command) {
  const ClusterState::Entry* entry = state.find(kind, key);
  if (entry == nullptr) {
    return Error(ErrorCode::not_found, fmt::format("there is no {} named '{}'", to_text(kind), key)).with_next(std::string(list_command));
  }
  return Record::from_json(entry->value);
}

/// Of decoded records, which are in the order of their names: apply() takes none that is filed under another.
template <typename Record, typename RecordName>
const Record* among(const std::vector<Record>& records, const RecordName& name) {
  const auto found = std::lower_bound(records.begin(), records.end(), name, [](const Record& record, const RecordName& wanted) { return record.name < wanted; });
  return found != records.end() && found->name == name ? &*found : nullptr;
}

template <typename Record>
std::vector<Record> list(const ClusterState& state, Kind kind) {
  std::vector<Record> records;
  for (const auto& [key, entry] : state.all(kind)) {
    // apply() checked the value: one that does not decode cannot be in a state.
    if (auto record = Record::from_json(entry.value); record.ok()) records.push_back(std::move(*record));
  }
  return records;
}

}  // namespace

Result<NodeRecord> ClusterState::node(const NodeName& name) const { return get<NodeRecord>(*this, Kind::node, name.str(), "hvctl node list"); }
Result<VmRecord> ClusterState::vm(const VmName& name) const {
  if (const VmRecord* decoded = among(vms_, name)) return *decoded;
  return get<VmRecord>(*this, Kind::vm, name.str(), "hvctl vm list");
}
Result<VolumeRecord> ClusterState::volume(const VolumeName& name) const {
  if (const VolumeRecord* decoded = among(volumes_, name)) return *decoded;
  return get<VolumeRecord>(*this, Kind::volume, name.str(), "hvctl drbd list");
}
Result<PoolRecord> ClusterState::pool(const PoolName& name) const { return get<PoolRecord>(*this, Kind::pool, name.str(), "hvctl storage list"); }
Result<NetworkRecord> ClusterState::network(const NetworkName& name) const { return get<NetworkRecord>(*this, Kind::network, name.str(), "hvctl network list"); }

std::vector<NodeRecord> ClusterState::nodes() const { return nodes_; }
std::vector<VmRecord> ClusterState::vms() const { return vms_; }
std::vector<VolumeRecord> ClusterState::volumes() const { return volumes_; }

void ClusterState::decode(Kind kind) {
  if (kind == Kind::node) {
    nodes_ = list<NodeRecord>(*this, Kind::node);
    std::sort(nodes_.begin(), nodes_.end(), [](const NodeRecord& a, const NodeRecord& b) { return a.id < b.id; });
  }
  if (kind == Kind::vm) vms_ = list<VmRecord>(*this, Kind::vm);
  if (kind == Kind::volume) volumes_ = list<VolumeRecord>(*this, Kind::volume);
}

std::vector<VolumeRecord> ClusterState::volumes_of(const VmRecord& vm) const {
  std::vector<VolumeRecord> records;
  for (const VolumeName& name : vm.volumes) {
    if (auto record = volume(name); record.ok()) records.push_back(std::move(*record));
  }
  return records;
}

std::optional<std::string> ClusterState::setting(const std::string& key) const {
  const Entry* entry = find(Kind::setting, key);
  if (entry == nullptr || !entry->value.is_string()) return std::nullopt;
  return entry->value.get<std::string>();
}

Json ClusterState::to_json() const {
  Json json = Json::object();
  for (const auto& [kind, objects] : objects_) {
    if (objects.empty()) continue;
    Json& list_of_kind = json[std::string(to_text(kind))] = Json::object();
    for (const auto& [key, entry] : objects) list_of_kind[key] = {{"revision", entry.revision}, {"value", entry.value}};
  }
  return json;
}

Result<ClusterState> ClusterState::from_json(const Json& json) {
  if (!json.is_object()) return Error(ErrorCode::store_corrupt, "the saved configuration is not an object");
  ClusterState state;
  for (const auto& kind_item : json.items()) {
    MCV_TRY(const Kind kind, kind_from_text(kind_item.key()));
    if (!kind_item.value().is_object()) return Error(ErrorCode::store_corrupt, "the saved configuration is malformed");
    for (const auto& item : kind_item.value().items()) {
      Fields fields(item.value(), "entry");
      Entry entry{fields.required<std::uint64_t>("revision"), value_in(item.value(), "value", Json())};
      MCV_CHECK(fields.finish_lenient());
      state.objects_[kind][item.key()] = std::move(entry);
    }
    state.decode(kind);
  }
  return state;
}

std::string ClusterState::hash() const { return sha256_hex(canonical(to_json())); }

namespace {

Mutation put(Kind kind, const std::string& key, std::uint64_t expected, Json value) {
  Mutation mutation;
  mutation.kind = kind;
  mutation.key = key;
  mutation.expected_revision = expected;
  mutation.value = std::move(value);
  return mutation;
}

}  // namespace


Mutation put_new(const VmRecord& vm) { return put(Kind::vm, vm.name.str(), 0, vm.to_json()); }
Mutation put_new(const VolumeRecord& volume) { return put(Kind::volume, volume.name.str(), 0, volume.to_json()); }
Mutation put_new(const PoolRecord& pool) { return put(Kind::pool, pool.name.str(), 0, pool.to_json()); }
Mutation put_new(const NetworkRecord& network) { return put(Kind::network, network.name.str(), 0, network.to_json()); }
Mutation put_new(const NodeRecord& node) { return put(Kind::node, node.name.str(), 0, node.to_json()); }
Mutation put_at(const ClusterState& state, const VmRecord& vm) { return put(Kind::vm, vm.name.str(), state.revision(Kind::vm, vm.name.str()), vm.to_json()); }
Mutation put_at(const ClusterState& state, const VolumeRecord& volume) {
  return put(Kind::volume, volume.name.str(), state.revision(Kind::volume, volume.name.str()), volume.to_json());
}
Mutation put_at(const ClusterState& state, const NodeRecord& node) {
  return put(Kind::node, node.name.str(), state.revision(Kind::node, node.name.str()), node.to_json());
}
Mutation patch(Kind kind, const std::string& key, Json fields, std::optional<Json> when) {
  Mutation mutation;
  mutation.kind = kind;
  mutation.key = key;
  mutation.patch = std::move(fields);
  mutation.when = std::move(when);
  return mutation;
}
Mutation erase_at(const ClusterState& state, Kind kind, const std::string& key) {
  Mutation mutation;
  mutation.kind = kind;
  mutation.key = key;
  mutation.expected_revision = state.revision(kind, key);
  return mutation;
}
bool is_replicated(const ClusterState& state, const VolumeName& volume) {
  const auto record = state.volume(volume);
  return record.ok() && record->kind == VolumeKind::drbd;
}

Mutation put_setting(const ClusterState& state, const std::string& key, const std::string& value) {
  return put(Kind::setting, key, state.revision(Kind::setting, key), Json(value));
}

}  // namespace mcv
