// SPDX-License-Identifier: Apache-2.0
// What two nodes that meet do with their histories: the rules of DESIGN 4 as one pure function, computed alike on both.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cluster/store/log_entry.h"

namespace mcv {

/// What a node tells of itself on contact. All of it is durable there.
struct Standing {
  std::vector<GenerationRecord> generations;
  std::uint64_t committed = 0;                  ///< its own knowledge; the entry may be committed further up
  std::uint64_t last = 0;                       ///< including tentative entries
  std::map<std::uint64_t, std::string> hashes;  ///< of the last entries, `committed` and `last` among them

  Json to_json() const;
  static Result<Standing> from_json(const Json& json);
};

Standing standing_of(const LogImage& image);
/// The same with every entry that is kept: to find where two histories part, however long ago.
Standing full_standing_of(const LogImage& image);

/// The last entry that both histories hold, by all that two standings tell; index 0 when they tell of none.
std::pair<std::uint64_t, std::string> last_common_entry(const Standing& a, const Standing& b);

/// Where a history ends, as a choice between two names it.
Position end_of(const Standing& standing);

enum class ReunionStep {
  converge,    ///< same generation: commit up to `common`, drop above
  send_state,  ///< ours is newer and continues theirs
  take_state,  ///< theirs is newer and continues ours: drop the tentative tail, take the whole state
  diverged,    ///< only a person can choose; keep both
};

struct Reunion {
  ReunionStep step = ReunionStep::diverged;
  std::uint64_t common = 0;  ///< the last entry both hold
  std::string reason;        ///< for `diverged`
};

Reunion reunite(const Standing& own, const Standing& peer);

}  // namespace mcv
