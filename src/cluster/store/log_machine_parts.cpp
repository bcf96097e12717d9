// SPDX-License-Identifier: Apache-2.0
#include "cluster/store/log_machine_parts.h"

#include <fmt/format.h>

namespace mcv::log_parts {

namespace {
constexpr std::size_t kept_generations = 32;
constexpr std::size_t sent_entries = 256;  // of the log go with a whole state
}

Json error_to_json(const Error& error) {
  return {{"code", to_text(error.code())}, {"message", error.message()}, {"safe", error.safe()}, {"next", error.next()}};
}

Error error_from_json(const Json& json) {
  Error error(error_code_from_text(json.value("code", "internal")), json.value("message", "the peer refused"));
  return std::move(std::move(error).with_safe(json.value("safe", ""))).with_next(json.value("next", ""));
}

Abilities abilities_from_json(const Json& hello) {
  Abilities abilities;
  abilities.format = hello.value("format", std::uint64_t{1});
  abilities.features = hello.value("features", std::set<std::string>());
  return abilities;
}

LogEntry generation_entry(const GenerationRecord& record, std::uint64_t format) {
  // The tail that only helps to find the place again is not part of history.
  GenerationRecord named = record;
  named.recent.clear();
  return make_entry(record.base_index + 1, record.ref, LogEntryKind::generation, "", canonical(named.to_json()), record.base_hash, format);
}

std::vector<GenerationRecord> with_newest(std::vector<GenerationRecord> history, GenerationRecord newest) {
  history.push_back(std::move(newest));
  if (history.size() > kept_generations) history.erase(history.begin());
  return history;
}

std::string whole_state(const LogImage& image, std::size_t limit) {
  std::size_t entries = sent_entries;
  std::string text = canonical(image.to_json(entries));
  while (text.size() > limit && entries > 0) text = canonical(image.to_json(entries /= 2));
  return text;
}

void add_rows(Persist& step, const ClusterState& state, const Change& change) {
  for (const Mutation& mutation : change.mutations) {
    const ClusterState::Entry* entry = state.find(mutation.kind, mutation.key);
    step.rows.push_back({mutation.kind, mutation.key, entry == nullptr ? std::nullopt : std::optional(*entry)});
  }
}

void add_all_rows(Persist& step, const ClusterState& state) {
  for (const Kind kind : {Kind::node, Kind::network, Kind::pool, Kind::vm, Kind::volume, Kind::setting}) {
    for (const auto& [key, entry] : state.all(kind)) step.rows.push_back({kind, key, entry});
  }
}

}  // namespace mcv::log_parts
