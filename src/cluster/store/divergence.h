// SPDX-License-Identifier: Apache-2.0
// Two histories that only a person can choose between: what each side tells of its own. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/store/log_entry.h"

namespace mcv {

/// A person chose this node's history where only a person can.
struct Settled {
  Position other;      ///< where the other history ends: that one, and no later state of it, is given up
  std::string proof;   ///< who typed it
  Change change;       ///< what is taken over from it, and the list of what is not: one entry, committed with the choice
};

struct TouchedObject {
  Kind kind = Kind::setting;
  std::string key;
  std::string action;  ///< "created", "changed" or "deleted", as the entry says
  friend bool operator==(const TouchedObject&, const TouchedObject&) = default;
};

/// One entry of a history, for people. A generation's own entry touches nothing.
struct HistoryEntry {
  std::uint64_t index = 0;
  std::string summary;
  std::vector<TouchedObject> objects;

  Json to_json() const;
  static Result<HistoryEntry> from_json(const Json& json);
  friend bool operator==(const HistoryEntry&, const HistoryEntry&) = default;
};

/// One side since the last entry that both hold.
struct History {
  std::vector<GenerationRecord> generations;  ///< taken since, oldest first
  Position end;
  std::vector<HistoryEntry> entries;          ///< committed ones, oldest first
  bool is_complete = true;                    ///< false: the log does not reach back so far
  ClusterState state;                         ///< as it is now

  Json to_json() const;
  static Result<History> from_json(const Json& json);
};

History history_above(const LogImage& image, std::uint64_t common);

}  // namespace mcv
