// SPDX-License-Identifier: Apache-2.0
#include "cluster/store/position.h"

namespace mcv {

std::string_view to_text(ChangeOutcome outcome) {
  switch (outcome) {
    case ChangeOutcome::committed: return "committed";
    case ChangeOutcome::not_applied: return "not-applied";
    case ChangeOutcome::undecided: return "undecided";
    case ChangeOutcome::forgotten: return "forgotten";
  }
  return "";
}

std::string_view to_text(LinkState state) {
  switch (state) {
    case LinkState::uninitialised: return "uninitialised";
    case LinkState::single: return "single";
    case LinkState::apart: return "apart";
    case LinkState::syncing: return "syncing";
    case LinkState::together: return "together";
    case LinkState::alone: return "alone";
    case LinkState::diverged: return "diverged";
    case LinkState::removed: return "removed";
    case LinkState::failed: return "failed";
  }
  return "";
}

Json to_json(const Position& position) {
  return {{"counter", position.generation.counter}, {"uuid", position.generation.uuid}, {"index", position.index}, {"hash", position.hash}};
}

Result<Position> position_from_json(const Json& json) {
  Fields fields(json, "position");
  Position position;
  position.generation.counter = fields.required<std::uint64_t>("counter");
  position.generation.uuid = fields.required<std::string>("uuid");
  position.index = fields.required<std::uint64_t>("index");
  position.hash = fields.required<std::string>("hash");
  MCV_CHECK(fields.finish_lenient());
  return position;
}

Json GenerationRecord::to_json() const {
  Json tail = Json::array();
  for (const auto& [index, hash] : recent) tail.push_back(Json::array({index, hash}));
  Json json = {{"counter", ref.counter}, {"uuid", ref.uuid}, {"taken_by", taken_by}, {"proof", proof},
               {"base_index", base_index}, {"base_hash", base_hash}, {"recent", tail}};
  if (settles) json["settles"] = mcv::to_json(*settles);
  if (apart_from) json["apart_from"] = mcv::to_json(*apart_from);
  return json;
}

Result<GenerationRecord> GenerationRecord::from_json(const Json& json) {
  Fields fields(json, "generation");
  GenerationRecord record;
  record.ref.counter = fields.required<std::uint64_t>("counter");
  record.ref.uuid = fields.required<std::string>("uuid");
  record.taken_by = fields.required<std::string>("taken_by");
  record.proof = fields.required<std::string>("proof");
  record.base_index = fields.required<std::uint64_t>("base_index");
  record.base_hash = fields.required<std::string>("base_hash");
  const Json* tail = fields.array("recent");
  const Json* settled = fields.object("settles", false);
  const Json* apart = fields.object("apart_from", false);
  MCV_CHECK(fields.finish_lenient());
  for (const Json& item : *tail) {
    if (!item.is_array() || item.size() != 2 || !item[0].is_number_unsigned() || !item[1].is_string()) {
      return Error(ErrorCode::store_corrupt, "a generation's list of entries is malformed");
    }
    record.recent[item[0].get<std::uint64_t>()] = item[1].get<std::string>();
  }
  if (settled != nullptr) {
    MCV_TRY(record.settles, position_from_json(*settled));
  }
  if (apart != nullptr) {
    MCV_TRY(record.apart_from, position_from_json(*apart));
  }
  return record;
}

}  // namespace mcv
