// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/leave.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "cluster/authority/consent.h"
#include "cluster/authority/standpoint.h"
#include "cluster/authority/takeover.h"

namespace mcv::authority {
namespace {

Json volumes_to_json(const std::vector<VolumeName>& volumes) {
  Json list = Json::array();
  for (const VolumeName& volume : volumes) list.push_back(volume.str());
  return list;
}

bool is_among(const std::vector<VolumeName>& list, const VolumeName& volume) { return std::find(list.begin(), list.end(), volume) != list.end(); }

const VolumeFacts* find(const std::map<std::string, VolumeFacts>& here, const VolumeName& volume) {
  const auto found = here.find(volume.str());
  return found == here.end() ? nullptr : &found->second;
}

}  // namespace

Json LeftRecord::to_json() const { return {{"id", id}, {"wall_seconds", wall_seconds}, {"volumes", volumes_to_json(volumes)}}; }

Result<LeftRecord> LeftRecord::from_json(const Json& json) {
  Fields fields(json, "node.left");
  LeftRecord left;
  left.id = fields.required<std::string>("id");
  left.wall_seconds = fields.required<std::int64_t>("wall_seconds");
  for (const std::string& text : fields.required<std::vector<std::string>>("volumes")) left.volumes.push_back(VolumeName::trusted(text));
  MCV_CHECK(fields.finish_lenient());
  return left;
}

std::optional<LeftRecord> left_in(const Json& node_record) {
  if (!node_record.is_object() || !node_record.contains("left")) return std::nullopt;
  auto record = LeftRecord::from_json(node_record.at("left"));
  // What cannot be read is nobody's consent.
  return record.ok() ? std::optional(std::move(*record)) : std::nullopt;
}

std::optional<LeftRecord> left(const ClusterState& state, const NodeName& node) {
  const ClusterState::Entry* entry = state.find(Kind::node, node.str());
  return entry == nullptr ? std::nullopt : left_in(entry->value);
}

Json Leave::to_json() const { return {{"id", id}, {"boot", boot}, {"wall_seconds", wall_seconds}, {"volumes", volumes_to_json(volumes)}}; }

Result<Leave> Leave::from_json(const Json& json) {
  Fields fields(json, leave_kind);
  Leave leave;
  leave.id = fields.required<std::string>("id");
  leave.boot = fields.required<std::string>("boot");
  leave.wall_seconds = fields.required<std::int64_t>("wall_seconds");
  for (const std::string& text : fields.required<std::vector<std::string>>("volumes")) leave.volumes.push_back(VolumeName::trusted(text));
  MCV_CHECK(fields.finish_lenient());
  return leave;
}

Json leave_returned_to_json(const std::string& id, const std::string& why) { return {{"id", id}, {"returned", true}, {"why", why}, {"equal", Json::array()}}; }

Json leave_equal_to_json(const std::string& id, const std::vector<VolumeName>& volumes) {
  return {{"id", id}, {"returned", false}, {"why", "both copies are equal"}, {"equal", volumes_to_json(volumes)}};
}

LeaveLedger::LeaveLedger(const std::vector<NodeOwnedRecord>& leaves, const std::vector<NodeOwnedRecord>& ended) {
  for (const NodeOwnedRecord& record : leaves) {
    Entry entry;
    auto read = Leave::from_json(record.body);
    if (read.ok()) entry.leave = std::move(*read);
    else entry.readable = false;
    entries_.push_back(std::move(entry));
  }
  for (const NodeOwnedRecord& record : ended) {
    Fields fields(record.body, leave_ended_kind);
    const auto id = fields.required<std::string>("id");
    const auto returned = fields.required<bool>("returned");
    const auto equal = fields.required<std::vector<std::string>>("equal");
    // What cannot be read ends nothing.
    if (!fields.finish_lenient().ok()) continue;
    for (Entry& entry : entries_) {
      if (entry.leave.id != id) continue;
      entry.returned = entry.returned || returned;
      for (const std::string& text : equal) entry.equal.push_back(VolumeName::trusted(text));
    }
  }
}

const Leave* LeaveLedger::standing() const {
  const auto found = std::find_if(entries_.rbegin(), entries_.rend(), [](const Entry& entry) { return !entry.returned; });
  return found == entries_.rend() ? nullptr : &found->leave;
}

bool LeaveLedger::bars(const VolumeName& volume) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) { return (!entry.readable && !entry.returned) || (is_among(entry.leave.volumes, volume) && !is_among(entry.equal, volume)); });
}

std::map<std::string, std::vector<VolumeName>> LeaveLedger::barred() const {
  std::map<std::string, std::vector<VolumeName>> result;
  for (const Entry& entry : entries_) {
    for (const VolumeName& volume : entry.leave.volumes) {
      if (!is_among(entry.equal, volume)) result[entry.leave.id].push_back(volume);
    }
  }
  return result;
}

std::vector<VolumeName> may_be_left(const Standpoint& standpoint, const ClusterState& state, const std::map<std::string, VolumeFacts>& here) {
  const auto is_of_peer = [&](const VolumeRecord& volume) {
    const auto vm = state.vm(volume.vm);
    return vm.ok() && vm->owner == standpoint.peer;
  };
  std::vector<VolumeName> result;
  for (const VolumeRecord& volume : state.volumes()) {
    if (volume.kind != VolumeKind::drbd) continue;
    const VolumeFacts* facts = find(here, volume.name);
    if (facts == nullptr || facts->role != DiskRole::secondary) continue;
    const bool current_there = facts->connection == ConnectionState::connected ? facts->peer_disk == DiskState::up_to_date
                                                                              : is_of_peer(volume) && check_not_newer(standpoint, volume.name, *facts).ok();
    if (current_there) result.push_back(volume.name);
  }
  return result;
}

Change left_change(const NodeName& self, const NodeName& peer, const Leave& leave) {
  Change change;
  change.id = "leave/" + leave.id;
  change.summary = fmt::format("{} left in order", self.str());
  Json nobody = {{"left", nullptr}};
  Json left = {{"left", leave.entry().to_json()}};
  change.mutations.push_back(patch(Kind::node, peer.str(), Json::object(), nobody));
  change.mutations.push_back(patch(Kind::node, self.str(), std::move(left), nobody));
  return change;
}

Change back_change(const NodeName& self, const LeftRecord& left) {
  Change change;
  change.id = "back/" + left.id;
  change.summary = fmt::format("{} is back", self.str());
  Json gone = {{"left", nullptr}};
  Json before = {{"left", left.to_json()}};
  change.mutations.push_back(patch(Kind::node, self.str(), std::move(gone), std::move(before)));
  return change;
}

ReturnStep next_return_step(const Standpoint& standpoint, const ClusterState& state) {
  const Leave* leave = standpoint.own_leave.standing();
  if (standpoint.boot.empty() || (standpoint.link != LinkState::together && !decides_after_leave(standpoint))) return ReturnStep::none;
  if (leave != nullptr && leave->boot == standpoint.boot) return ReturnStep::none;
  if (has_left(state, standpoint.self)) return ReturnStep::say_it;
  return leave == nullptr ? ReturnStep::none : ReturnStep::write_it;
}

std::map<std::string, std::vector<VolumeName>> equal_again(const Standpoint& standpoint, const ClusterState& state, const std::map<std::string, VolumeFacts>& here) {
  std::map<std::string, std::vector<VolumeName>> result;
  if (standpoint.link != LinkState::together || standpoint.own_leave.standing() != nullptr) return result;
  for (const auto& [id, volumes] : standpoint.own_leave.barred()) {
    for (const VolumeName& volume : volumes) {
      const VolumeFacts* facts = find(here, volume);
      const bool equal = facts != nullptr && facts->redundant() && facts->replication == ReplicationState::established;
      if (equal || !is_replicated(state, volume)) result[id].push_back(volume);
    }
  }
  return result;
}

bool may_go_on_by_consent(const Standpoint& standpoint) {
  return standpoint.link == LinkState::apart && !standpoint.peer_in_group && standpoint.peer_left && !is_away(standpoint);
}

bool is_away(const Standpoint& standpoint) { return standpoint.own_leave.standing() != nullptr || standpoint.own_left; }

bool is_leaving_now(const Standpoint& standpoint) {
  const Leave* leave = standpoint.own_leave.standing();
  return leave != nullptr && !standpoint.boot.empty() && leave->boot == standpoint.boot;
}

std::vector<std::uint64_t> ended_leaves(const std::vector<NodeOwnedRecord>& leaves, const std::vector<NodeOwnedRecord>& ended) {
  std::vector<std::uint64_t> numbers;
  std::set<std::string> kept;
  for (const NodeOwnedRecord& record : leaves) {
    const auto leave = Leave::from_json(record.body);
    const LeaveLedger alone({record}, ended);
    if (alone.standing() == nullptr && alone.barred().empty()) numbers.push_back(record.number);
    else kept.insert(leave.ok() ? leave->id : std::string());
  }
  for (const NodeOwnedRecord& record : ended) {
    Fields fields(record.body, leave_ended_kind);
    const auto id = fields.required<std::string>("id");
    const bool is_read = fields.finish_lenient().ok();
    if (is_read && !kept.contains(id)) numbers.push_back(record.number);
  }
  return numbers;
}

std::vector<VolumeName> newly_covered(const Standpoint& standpoint, const std::map<std::string, VolumeFacts>& here) {
  std::vector<VolumeName> result;
  if (authority_over_peer(standpoint) != Authority::by_consent) return result;
  for (const VolumeName& volume : standpoint.peer_left->volumes) {
    const VolumeFacts* facts = find(here, volume);
    const bool named = standpoint.ledger.went_on(standpoint.self, volume);
    if (!named && freshness_by_consent(standpoint, volume, facts) == Freshness::fresh) result.push_back(volume);
  }
  return result;
}

Status may_open_replicated(const Standpoint& standpoint, const std::string& what) {
  if (!is_away(standpoint)) return success();
  if (is_leaving_now(standpoint)) {
    return Error(ErrorCode::no_authority, fmt::format("{}: {} left in order and is being shut down; {} may go on with its replicated disks", what, standpoint.self.str(), standpoint.peer.str()))
        .with_safe("nothing was opened for writing here")
        .with_next(fmt::format("on {}: hvctl vm list; if this machine stays on after all: systemctl reboot", standpoint.peer.str()));
  }
  return Error(ErrorCode::no_authority, fmt::format("{}: {} left in order and is not back yet: {} was let go on, and its copies may be newer", what, standpoint.self.str(), standpoint.peer.str()))
      .with_safe("nothing was opened for writing here")
      .with_next(deciding_command(standpoint));
}

}  // namespace mcv::authority
