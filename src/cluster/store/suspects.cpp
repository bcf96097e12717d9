// SPDX-License-Identifier: Apache-2.0
#include "cluster/store/suspects.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace mcv {

Json Suspect::to_json() const {
  Json list = Json::array();
  for (const SectorRange& range : ranges) list.push_back({{"start", range.start}, {"count", range.count}});
  return {{"volume", volume.str()},           {"vm_uuid", vm_uuid}, {"counter", at.counter}, {"generation", at.generation}, {"index", at.index},
          {"wall_seconds", wall_seconds}, {"reason", reason},   {"ranges", std::move(list)}};
}

Result<Suspect> Suspect::from_json(const Json& json) {
  Fields fields(json, suspect_kind);
  Suspect suspect;
  const auto volume = fields.required<std::string>("volume");
  suspect.vm_uuid = fields.optional_or<std::string>("vm_uuid", "");
  suspect.at.counter = fields.required<std::uint64_t>("counter");
  suspect.at.generation = fields.required<std::string>("generation");
  suspect.at.index = fields.required<std::uint64_t>("index");
  suspect.wall_seconds = fields.optional_or<std::int64_t>("wall_seconds", 0);
  suspect.reason = fields.optional_or<std::string>("reason", "");
  if (const Json* ranges = fields.array("ranges", false)) {
    for (const Json& item : *ranges) {
      Fields range(item, "suspect.range");
      suspect.ranges.push_back({range.required<std::uint64_t>("start"), range.required<std::uint64_t>("count")});
      MCV_CHECK(range.finish_lenient());
    }
  }
  MCV_CHECK(fields.finish_lenient());
  MCV_TRY(suspect.volume, VolumeName::parse(volume));
  return suspect;
}

LogStamp stamp_of(const Position& position) { return {position.generation.counter, position.generation.uuid, position.index}; }

bool stands(const Suspect& suspect, const ClusterState& state) {
  const auto volume = state.volume(suspect.volume);
  if (!volume.ok()) return false;
  const auto vm = state.vm(volume->vm);
  if (vm.ok() && !suspect.vm_uuid.empty() && vm->uuid != suspect.vm_uuid) return false;
  // "Never" with a place in the log was decided, too: by the removal of the other side, which the differences were to.
  const bool decided = volume->verdict.kind != VerdictKind::never || volume->verdict.after.counter != 0;
  return !decided || !is_at_or_after(volume->verdict.after, suspect.at);
}

SuspectLedger::SuspectLedger(const ClusterState& state, const std::vector<NodeOwnedRecord>& records) {
  for (const NodeOwnedRecord& record : records) {
    auto suspect = Suspect::from_json(record.body);
    if (!suspect.ok() || !stands(*suspect, state)) continue;
    suspect->node = record.node;
    // Records come in the order of their numbers, so of one node the last wins.
    const auto known = standing_.find(suspect->volume);
    if (known != standing_.end() && !is_at_or_after(suspect->at, known->second.at)) continue;
    standing_.insert_or_assign(suspect->volume, std::move(*suspect));
  }
}

const Suspect* SuspectLedger::find(const VolumeName& volume) const {
  const auto found = standing_.find(volume);
  return found == standing_.end() ? nullptr : &found->second;
}

std::vector<NodeOwnedRecord> unreadable(const std::vector<NodeOwnedRecord>& records) {
  std::vector<NodeOwnedRecord> found;
  for (const NodeOwnedRecord& record : records) {
    if (!Suspect::from_json(record.body).ok()) found.push_back(record);
  }
  return found;
}

std::optional<Suspect> doubt(const NodeOwnedRecord& record, const VolumeName& volume, const LogStamp& first_seen, const ClusterState& state) {
  const auto known = state.volume(volume);
  if (!known.ok() || known->kind != VolumeKind::drbd) return std::nullopt;
  Suspect suspect;
  suspect.volume = volume;
  suspect.at = first_seen;
  suspect.node = record.node;
  suspect.reason = fmt::format("record {} of {} about a verify cannot be read and may mean this disk", record.number, record.node);
  if (!stands(suspect, state)) return std::nullopt;
  return suspect;
}

bool is_settled(const LogStamp& first_seen, const ClusterState& state) {
  const NodeOwnedRecord any;
  return std::ranges::none_of(state.volumes(), [&](const VolumeRecord& volume) { return doubt(any, volume.name, first_seen, state).has_value(); });
}

std::vector<std::uint64_t> spent(const ClusterState& state, const std::vector<NodeOwnedRecord>& records) {
  std::vector<std::uint64_t> numbers;
  for (const NodeOwnedRecord& record : records) {
    const auto suspect = Suspect::from_json(record.body);
    if (suspect.ok() && !stands(*suspect, state)) numbers.push_back(record.number);
  }
  return numbers;
}

}  // namespace mcv
