// SPDX-License-Identifier: Apache-2.0
#include "cluster/store/reunion.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

namespace mcv {
namespace {

// A node of the same generation is at most two entries behind or ahead: one tentative entry at a time, and the peer's
// report proves the one before. Sixteen is room to spare.
constexpr std::size_t shown_entries = 16;

/// Equal hashes mean equal histories up to there, so the greatest index is the answer.
std::optional<std::uint64_t> last_common(const std::map<std::uint64_t, std::string>& a, const std::map<std::uint64_t, std::string>& b) {
  for (auto entry = a.rbegin(); entry != a.rend(); ++entry) {
    const auto other = b.find(entry->first);
    if (other != b.end() && other->second == entry->second) return entry->first;
  }
  return std::nullopt;
}

/// Every entry it tells the hash of: its own last ones, and those its generations name.
std::map<std::uint64_t, std::string> known_entries(const Standing& standing) {
  std::map<std::uint64_t, std::string> known = standing.hashes;
  for (const GenerationRecord& record : standing.generations) {
    for (const auto& [index, hash] : record.recent) known.emplace(index, hash);
    if (record.base_index > 0) known.emplace(record.base_index, record.base_hash);
  }
  return known;
}

/// A person chose a history of `winner` against the very one that `loser` holds.
bool settles(const Standing& winner, const Standing& loser) {
  const Position end = end_of(loser);
  return std::any_of(winner.generations.begin(), winner.generations.end(), [&](const GenerationRecord& record) { return record.settles == end; });
}

std::optional<std::size_t> find_generation(const std::vector<GenerationRecord>& history, const GenerationRecord& wanted) {
  for (std::size_t i = 0; i < history.size(); ++i) {
    if (history[i].ref == wanted.ref) return i;
  }
  return std::nullopt;
}

/// `newer` took `next` after the last generation `older` knows. Does it continue from what `older` committed?
Reunion continues(const Standing& newer, const GenerationRecord& next, const Standing& older, ReunionStep step) {
  std::map<std::uint64_t, std::string> history = next.recent;
  history[next.base_index] = next.base_hash;
  for (const auto& [index, hash] : newer.hashes) {
    if (index <= next.base_index) history[index] = hash;
  }
  const auto common = last_common(older.hashes, history);
  if (!common || *common < older.committed) {
    return {ReunionStep::diverged, common.value_or(0),
            fmt::format("generation {} taken by {} continues from entry {}, the other node had committed entry {}", next.ref.counter,
                        next.taken_by, next.base_index, older.committed)};
  }
  return {step, *common, {}};
}

}  // namespace

Json Standing::to_json() const {
  Json history = Json::array();
  for (const GenerationRecord& record : generations) history.push_back(record.to_json());
  Json shown = Json::array();
  for (const auto& [index, hash] : hashes) shown.push_back(Json::array({index, hash}));
  return {{"generations", history}, {"committed", committed}, {"last", last}, {"hashes", shown}};
}

Result<Standing> Standing::from_json(const Json& json) {
  Fields fields(json, "standing");
  Standing standing;
  standing.committed = fields.required<std::uint64_t>("committed");
  standing.last = fields.required<std::uint64_t>("last");
  const Json* history = fields.array("generations");
  const Json* shown = fields.array("hashes");
  MCV_CHECK(fields.finish_lenient());
  for (const Json& item : *history) {
    MCV_TRY(GenerationRecord record, GenerationRecord::from_json(item));
    standing.generations.push_back(std::move(record));
  }
  for (const Json& item : *shown) {
    if (!item.is_array() || item.size() != 2 || !item[0].is_number_unsigned() || !item[1].is_string()) {
      return Error(ErrorCode::bad_request, "the peer's list of entries is malformed");
    }
    standing.hashes[item[0].get<std::uint64_t>()] = item[1].get<std::string>();
  }
  return standing;
}

namespace {

Standing standing_with(const LogImage& image, std::size_t entries) {
  Standing standing{image.generations, image.committed_index, image.last_index(), {}};
  standing.hashes[image.committed_index] = image.committed_hash;
  for (auto entry = image.log.rbegin(); entry != image.log.rend() && standing.hashes.size() < entries; ++entry) {
    standing.hashes[entry->first] = entry->second.hash;
  }
  return standing;
}

}  // namespace

Standing standing_of(const LogImage& image) { return standing_with(image, shown_entries); }
Standing full_standing_of(const LogImage& image) { return standing_with(image, image.log.size() + 1); }

std::pair<std::uint64_t, std::string> last_common_entry(const Standing& a, const Standing& b) {
  const std::map<std::uint64_t, std::string> known = known_entries(a);
  const auto common = last_common(known, known_entries(b));
  if (!common) return {0, {}};
  return {*common, known.at(*common)};
}

Position end_of(const Standing& standing) {
  Position end;
  if (!standing.generations.empty()) end.generation = standing.generations.back().ref;
  end.index = standing.committed;
  if (const auto last = standing.hashes.find(standing.committed); last != standing.hashes.end()) end.hash = last->second;
  return end;
}

Reunion reunite(const Standing& own, const Standing& peer) {
  if (own.generations.empty() || peer.generations.empty()) {
    return {ReunionStep::diverged, 0, "one node has no configuration: it must join before it can take part"};
  }
  // What a person chose comes before every rule: the other history is given up as a whole, and was listed.
  if (settles(own, peer)) return {ReunionStep::send_state, last_common_entry(own, peer).first, {}};
  if (settles(peer, own)) return {ReunionStep::take_state, last_common_entry(own, peer).first, {}};
  const auto own_in_peer = find_generation(peer.generations, own.generations.back());
  const auto peer_in_own = find_generation(own.generations, peer.generations.back());
  if (own_in_peer && peer_in_own) {
    const auto common = last_common(own.hashes, peer.hashes);
    if (!common || *common < std::max(own.committed, peer.committed)) {
      return {ReunionStep::diverged, common.value_or(0),
              fmt::format("in the same generation one node committed up to entry {}, the other up to {}, and only {} is held by both",
                          own.committed, peer.committed, common.value_or(0))};
    }
    return {ReunionStep::converge, *common, {}};
  }
  if (peer_in_own) return continues(own, own.generations[*peer_in_own + 1], peer, ReunionStep::send_state);
  if (own_in_peer) return continues(peer, peer.generations[*own_in_peer + 1], own, ReunionStep::take_state);
  return {ReunionStep::diverged, 0,
          fmt::format("both nodes went on alone: generation {} was taken by {}, generation {} by {}", own.generations.back().ref.counter,
                      own.generations.back().taken_by, peer.generations.back().ref.counter, peer.generations.back().taken_by)};
}

}  // namespace mcv
