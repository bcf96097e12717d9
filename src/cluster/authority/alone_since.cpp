// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/alone_since.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

namespace mcv::authority {
namespace {

Json names_to_json(const std::vector<VolumeName>& volumes) {
  Json list = Json::array();
  for (const VolumeName& volume : volumes) list.push_back(volume.str());
  return list;
}

std::vector<VolumeName> names_from(const std::vector<std::string>& texts) {
  std::vector<VolumeName> names;
  for (const std::string& text : texts) names.push_back(VolumeName::trusted(text));
  return names;
}

bool contains(const std::vector<VolumeName>& list, const VolumeName& volume) { return std::find(list.begin(), list.end(), volume) != list.end(); }

/// What cannot be read withdraws nothing.
std::optional<std::vector<VolumeName>> withdrawn_by(const NodeOwnedRecord& record) {
  Fields fields(record.body, alone_withdrawn_kind);
  auto texts = fields.required<std::vector<std::string>>("volumes");
  return fields.finish_lenient().ok() ? std::optional(names_from(texts)) : std::nullopt;
}

bool names_a_generation(const AloneSince& since, const std::vector<GenerationRecord>& known) {
  return since.cause != cause_policy && std::any_of(known.begin(), known.end(), [&](const GenerationRecord& record) { return record.ref == since.generation; });
}

}  // namespace

Json AloneSince::to_json() const {
  return {{"counter", generation.counter},
          {"uuid", generation.uuid},
          {"index", index},
          {"cause", cause},
          {"boot", boot},
          {"by", by},
          {"volumes", names_to_json(volumes)},
          {"wall_seconds", wall_seconds},
          {"peer_may_run_alone", peer_may_run_alone},
          {"after_leave", after_leave}};
}

Result<AloneSince> AloneSince::from_json(const Json& json) {
  Fields fields(json, alone_since_kind);
  AloneSince since;
  since.generation.counter = fields.required<std::uint64_t>("counter");
  since.generation.uuid = fields.required<std::string>("uuid");
  since.index = fields.required<std::uint64_t>("index");
  since.cause = fields.required<std::string>("cause");
  since.boot = fields.required<std::string>("boot");
  since.by = fields.required<std::string>("by");
  since.volumes = names_from(fields.required<std::vector<std::string>>("volumes"));
  since.wall_seconds = fields.optional_or<std::int64_t>("wall_seconds", 0);
  since.peer_may_run_alone = fields.optional_or("peer_may_run_alone", false);
  since.after_leave = fields.optional_or("after_leave", false);
  MCV_CHECK(fields.finish_lenient());
  return since;
}

Json withdrawal_to_json(const std::vector<VolumeName>& volumes) { return {{"volumes", names_to_json(volumes)}}; }

AloneLedger::AloneLedger(const std::vector<NodeOwnedRecord>& since, const std::vector<NodeOwnedRecord>& withdrawn) {
  for (const NodeOwnedRecord& record : since) {
    Entry entry{record.node, record.stream, record.number, {}, true};
    auto read = AloneSince::from_json(record.body);
    if (read.ok()) entry.since = std::move(*read);
    else entry.readable = false;
    entries_.push_back(std::move(entry));
  }
  for (const NodeOwnedRecord& record : withdrawn) {
    if (auto volumes = withdrawn_by(record)) withdrawn_.push_back({record.node, record.stream, record.number, std::move(*volumes)});
  }
}

bool AloneLedger::is_withdrawn(const Entry& entry, const VolumeName& volume) const {
  return std::any_of(withdrawn_.begin(), withdrawn_.end(), [&](const Withdrawn& later) {
    return later.node == entry.node && later.stream == entry.stream && later.number > entry.number && contains(later.volumes, volume);
  });
}

bool AloneLedger::stands(const NodeName& node, const VolumeName& volume) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.node == node.str() && (!entry.readable || contains(entry.since.volumes, volume)) && !is_withdrawn(entry, volume);
  });
}

bool AloneLedger::went_on(const NodeName& node, const VolumeName& volume) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    if (entry.node != node.str() || (entry.readable && entry.since.cause == cause_disk_lost)) return false;
    return (!entry.readable || contains(entry.since.volumes, volume)) && !is_withdrawn(entry, volume);
  });
}

std::vector<VolumeName> AloneLedger::standing(const NodeName& node) const {
  std::set<VolumeName> found;
  for (const Entry& entry : entries_) {
    if (entry.node != node.str()) continue;
    for (const VolumeName& volume : entry.since.volumes) {
      if (!is_withdrawn(entry, volume)) found.insert(volume);
    }
  }
  return {found.begin(), found.end()};
}

bool AloneLedger::stands_from_another_boot(const NodeName& node, const VolumeName& volume, const std::string& boot) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.node == node.str() && (!entry.readable || (contains(entry.since.volumes, volume) && entry.since.boot != boot)) && !is_withdrawn(entry, volume);
  });
}

bool AloneLedger::accepted(const NodeName& node, const VolumeName& volume) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.node == node.str() && entry.readable && entry.since.cause == cause_accepted && contains(entry.since.volumes, volume) && !is_withdrawn(entry, volume);
  });
}

const AloneSince* AloneLedger::standing_record(const NodeName& node, const VolumeName& volume) const {
  const AloneSince* found = nullptr;
  for (const Entry& entry : entries_) {
    if (entry.node == node.str() && entry.readable && contains(entry.since.volumes, volume) && !is_withdrawn(entry, volume)) found = &entry.since;
  }
  return found;
}

bool AloneLedger::ever_named(const NodeName& node, const VolumeName& volume) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.node == node.str() && (!entry.readable || contains(entry.since.volumes, volume)); });
}

std::vector<std::uint64_t> ended_alone(const std::vector<NodeOwnedRecord>& since, const std::vector<NodeOwnedRecord>& withdrawn, const std::vector<GenerationRecord>& known) {
  std::vector<std::uint64_t> numbers;
  std::vector<std::pair<std::uint64_t, AloneSince>> kept;
  std::optional<std::uint64_t> oldest_unreadable;
  std::vector<GenerationRef> named;
  // From the newest: it is the one that a generation is looked up by.
  for (auto record = since.rbegin(); record != since.rend(); ++record) {
    auto read = AloneSince::from_json(record->body);
    if (!read.ok()) {
      oldest_unreadable = record->number;
      continue;
    }
    const AloneLedger only({*record}, withdrawn);
    const bool stands = !only.standing(NodeName::trusted(record->node)).empty();
    const bool is_latest = names_a_generation(*read, known) && std::find(named.begin(), named.end(), read->generation) == named.end();
    if (is_latest) named.push_back(read->generation);
    if (stands || is_latest) kept.emplace_back(record->number, std::move(*read));
    else numbers.push_back(record->number);
  }
  // Of withdrawals the newest of each volume says all there is to say.
  std::set<VolumeName> said;
  for (auto record = withdrawn.rbegin(); record != withdrawn.rend(); ++record) {
    const auto volumes = withdrawn_by(*record);
    if (!volumes) continue;
    bool is_needed = false;
    for (const VolumeName& volume : *volumes) {
      if (!said.insert(volume).second) continue;
      const bool ends_a_kept_one = std::any_of(kept.begin(), kept.end(), [&](const auto& item) { return item.first < record->number && contains(item.second.volumes, volume); });
      is_needed = is_needed || ends_a_kept_one || (oldest_unreadable && *oldest_unreadable < record->number);
    }
    if (!is_needed) numbers.push_back(record->number);
  }
  return numbers;
}

bool AloneLedger::names(const NodeName& node, const GenerationRef& generation) const { return latest(node, generation) != nullptr; }

const AloneSince* AloneLedger::latest(const NodeName& node, const GenerationRef& generation) const {
  const AloneSince* found = nullptr;
  for (const Entry& entry : entries_) {
    if (entry.node == node.str() && entry.readable && entry.since.cause != cause_policy && entry.since.generation == generation) found = &entry.since;
  }
  return found;
}

}  // namespace mcv::authority
