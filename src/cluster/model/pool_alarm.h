// SPDX-License-Identifier: Apache-2.0
// When a storage pool needs a person, by how full it is. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cluster/core/json.h"
#include "cluster/core/names.h"

namespace mcv {

/// What one look at a pool on its node showed.
struct PoolFill {
  double data_percent = 0;                 ///< of a thin pool's data, or of a directory's file system
  std::optional<double> metadata_percent;  ///< of a thin pool
  std::string problem;                     ///< it is not there, cannot be read, or is not as it should be; the shares say nothing then
  std::string remedy = {};                 ///< the command against it, on that node; empty: it depends
  bool waits_when_full = false;            ///< a thin pool that, full, holds writes for a while before they fail

  /// The one that runs out first.
  double worst() const;
};

/// The thresholds of DESIGN 6, in percent: 80, 90 (nothing new is created from here on), 95.
enum class PoolAlarm { none, filling, nearly_full, full, broken };
std::string_view to_text(PoolAlarm alarm);

/// A level that was reached stays until the fill is one percent below its threshold, so that a guest writing at the edge does not
/// raise it over and over.
PoolAlarm pool_alarm(const PoolFill& fill, PoolAlarm before = PoolAlarm::none);

struct PoolFacts {
  PoolFill fill;
  PoolAlarm alarm = PoolAlarm::none;
};

struct PoolAdvice {
  std::string text;
  std::string next;
};
/// `thin_pool`: "vg0/fast", empty for pools of another kind.
PoolAdvice explain(PoolAlarm alarm, const PoolFill& fill, const PoolName& pool, const NodeName& node, const std::string& thin_pool);
/// Of a thin pool that waits when it is full, however full it is now.
PoolAdvice explain_waiting(const PoolName& pool, const NodeName& node, const std::string& thin_pool);

/// As part of a node's facts.
Json to_json(const PoolFacts& facts);
Result<PoolFacts> pool_facts_from_json(const Json& json);

}  // namespace mcv
