// SPDX-License-Identifier: Apache-2.0
#include "cluster/store/divergence.h"

#include <fmt/format.h>

#include "cluster/core/json_value.h"

namespace mcv {
namespace {

std::string action_of(const Mutation& mutation) {
  if (!mutation.value && !mutation.patch) return "deleted";
  return mutation.value && mutation.expected_revision == std::uint64_t{0} ? "created" : "changed";
}

HistoryEntry told(const LogEntry& entry) {
  HistoryEntry told;
  told.index = entry.index;
  if (entry.kind == LogEntryKind::generation) {
    const auto json = parse_json(entry.bytes);
    const Json record = json.ok() ? *json : Json();
    told.summary = fmt::format("generation {} is taken by {}: {}", entry.generation.counter, value_in(record, "taken_by", ""), value_in(record, "proof", ""));
    return told;
  }
  const auto change = Change::decode(entry.bytes);
  if (!change.ok()) return told;
  told.summary = change->summary;
  for (const Mutation& mutation : change->mutations) told.objects.push_back({mutation.kind, mutation.key, action_of(mutation)});
  return told;
}

}  // namespace

Json HistoryEntry::to_json() const {
  Json list = Json::array();
  for (const TouchedObject& object : objects) list.push_back({{"kind", to_text(object.kind)}, {"name", object.key}, {"action", object.action}});
  return {{"index", index}, {"summary", summary}, {"objects", list}};
}

Result<HistoryEntry> HistoryEntry::from_json(const Json& json) {
  Fields fields(json, "history entry");
  HistoryEntry entry;
  entry.index = fields.required<std::uint64_t>("index");
  entry.summary = fields.required<std::string>("summary");
  const Json* list = fields.array("objects");
  MCV_CHECK(fields.finish_lenient());
  for (const Json& item : *list) {
    Fields object(item, "history entry.object");
    TouchedObject touched;
    MCV_TRY(touched.kind, kind_from_text(object.required<std::string>("kind")));
    touched.key = object.required<std::string>("name");
    touched.action = object.required<std::string>("action");
    MCV_CHECK(object.finish_lenient());
    entry.objects.push_back(std::move(touched));
  }
  return entry;
}

Json History::to_json() const {
  Json taken = Json::array();
  for (const GenerationRecord& record : generations) taken.push_back(record.to_json());
  Json list = Json::array();
  for (const HistoryEntry& entry : entries) list.push_back(entry.to_json());
  return {{"generations", taken}, {"end", mcv::to_json(end)}, {"entries", list}, {"is_complete", is_complete}, {"state", state.to_json()}};
}

Result<History> History::from_json(const Json& json) {
  Fields fields(json, "history");
  History history;
  const Json* taken = fields.array("generations");
  const Json* end = fields.object("end");
  const Json* list = fields.array("entries");
  history.is_complete = fields.required<bool>("is_complete");
  const Json* state = fields.object("state");
  MCV_CHECK(fields.finish_lenient());
  for (const Json& item : *taken) {
    MCV_TRY(GenerationRecord record, GenerationRecord::from_json(item));
    history.generations.push_back(std::move(record));
  }
  MCV_TRY(history.end, position_from_json(*end));
  for (const Json& item : *list) {
    MCV_TRY(HistoryEntry entry, HistoryEntry::from_json(item));
    history.entries.push_back(std::move(entry));
  }
  MCV_TRY(history.state, ClusterState::from_json(*state));
  return history;
}

History history_above(const LogImage& image, std::uint64_t common) {
  History history;
  for (const GenerationRecord& record : image.generations) {
    if (record.base_index < common || (common == 0 && record.base_index == 0)) continue;
    GenerationRecord short_one = record;
    short_one.recent.clear();
    history.generations.push_back(std::move(short_one));
  }
  // In one generation that both hold there is none to name; the last one says what this side counts itself to.
  if (history.generations.empty() && !image.generations.empty()) {
    history.generations.push_back(image.generations.back());
    history.generations.back().recent.clear();
  }
  if (!image.generations.empty()) history.end.generation = image.generations.back().ref;
  history.end.index = image.committed_index;
  history.end.hash = image.committed_hash;
  history.state = image.state;
  history.is_complete = common >= image.committed_index || (image.log.contains(common + 1));
  for (auto entry = image.log.upper_bound(common); entry != image.log.end() && entry->first <= image.committed_index; ++entry) history.entries.push_back(told(entry->second));
  return history;
}

}  // namespace mcv
