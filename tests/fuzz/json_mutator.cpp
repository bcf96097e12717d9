// SPDX-License-Identifier: Apache-2.0
#include "json_mutator.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cluster/core/json.h"

namespace mcv::fuzz {
namespace {

struct Piece {
  std::size_t begin = 0;
  std::size_t size = 0;
  Json json;
};

/// What of `text` is a container of JSON.
std::vector<Piece> pieces_of(std::string_view text) {
  std::vector<Piece> pieces;
  const auto take = [&](std::size_t begin, std::size_t end) {
    // After a tab, as a row of a store: the value is the rest of its line.
    const std::size_t open = text.substr(begin, end - begin).find_first_of("{[");
    if (open == std::string_view::npos) return;
    auto json = parse_json(text.substr(begin + open, end - begin - open));
    if (json.ok()) pieces.push_back({begin + open, end - begin - open, std::move(*json)});
  };
  take(0, text.size());
  if (!pieces.empty()) return pieces;
  std::size_t begin = 0;
  while (begin <= text.size() && pieces.size() < 100) {
    const std::size_t end = std::min(text.find_first_of("\n\x1e", begin), text.size());
    take(begin, end);
    begin = end + 1;
  }
  return pieces;
}

void collect(Json& value, std::vector<Json*>& all) {
  all.push_back(&value);
  if (!value.is_structured()) return;
  for (Json& item : value) collect(item, all);
}

Json odd(std::minstd_rand& random) {
  switch (random() % 16) {
    case 0: return nullptr;
    case 1: return true;
    case 2: return false;
    case 3: return 0;
    case 4: return 1;
    case 5: return -1;
    case 6: return 1.5;
    case 7: return UINT64_MAX;
    case 8: return INT64_MIN;
    case 9: return std::uint64_t{1} << (random() % 64);
    case 10: return "";
    case 11: return std::string(random() % 300, 'x');
    case 12: return "vm1\n\x1b[31m../%s";
    case 13: return Json::array();
    case 14: return Json::object();
    default: return Json::array({nullptr, "x", 7});
  }
}

void spoil(Json& json, std::minstd_rand& random) {
  std::vector<Json*> all;
  collect(json, all);
  Json& chosen = *all[random() % all.size()];
  const Json other = *all[random() % all.size()];
  switch (random() % 6) {
    case 0: chosen = odd(random); return;
    case 1: chosen = other; return;
    case 2:
      if (chosen.is_array() && !chosen.empty()) chosen.push_back(chosen[random() % chosen.size()]);
      else if (chosen.is_object()) chosen["added"] = other;
      else chosen = odd(random);
      return;
    case 3:
      if (chosen.is_structured() && !chosen.empty()) {
        auto gone = chosen.begin();
        std::advance(gone, static_cast<std::ptrdiff_t>(random() % chosen.size()));
        chosen.erase(gone);
      }
      return;
    case 4:
      if (chosen.is_number_unsigned()) chosen = chosen.get<std::uint64_t>() + random() % 5 - 2;
      else if (chosen.is_string() && !chosen.get_ref<std::string&>().empty()) chosen.get_ref<std::string&>().pop_back();
      else chosen = other;
      return;
    default:
      if (chosen.is_object() && !chosen.empty()) {
        auto from = chosen.begin();
        std::advance(from, static_cast<std::ptrdiff_t>(random() % chosen.size()));
        Json value = from.value();
        chosen[other.is_string() ? other.get<std::string>() : std::string("renamed")] = std::move(value);
      } else {
        chosen = odd(random);
      }
      return;
  }
}

}  // namespace

std::optional<std::string> spoil_json(std::string_view text, std::minstd_rand& random) {
  std::vector<Piece> pieces = pieces_of(text);
  if (pieces.empty()) return std::nullopt;
  Piece& piece = pieces[random() % pieces.size()];
  for (unsigned times = 1 + static_cast<unsigned>(random() % 3); times > 0; --times) spoil(piece.json, random);
  return std::string(text.substr(0, piece.begin)) + canonical(piece.json) + std::string(text.substr(piece.begin + piece.size));
}

}  // namespace mcv::fuzz
