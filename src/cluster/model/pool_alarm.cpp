// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/pool_alarm.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>

namespace mcv {
namespace {

struct Threshold {
  double percent;
  PoolAlarm alarm;
};
constexpr std::array thresholds = {Threshold{95.0, PoolAlarm::full}, Threshold{90.0, PoolAlarm::nearly_full}, Threshold{80.0, PoolAlarm::filling}};
constexpr double slack = 1.0;

std::string consequence(PoolAlarm alarm) {
  switch (alarm) {
    case PoolAlarm::full: return "; when it is full this node's copies are cut off and guests write to the other node alone, local disks get errors";
    case PoolAlarm::nearly_full: return "; nothing new is created in it";
    default: return {};
  }
}

/// LVM tells percents with two digits; what travels between the daemons has whole numbers only.
std::uint32_t hundredths(double percent) { return static_cast<std::uint32_t>(std::lround(std::clamp(percent, 0.0, 100.0) * 100.0)); }

}  // namespace

double PoolFill::worst() const { return std::max(data_percent, metadata_percent.value_or(0)); }

std::string_view to_text(PoolAlarm alarm) {
  switch (alarm) {
    case PoolAlarm::none: return "none";
    case PoolAlarm::filling: return "filling";
    case PoolAlarm::nearly_full: return "nearly-full";
    case PoolAlarm::full: return "full";
    case PoolAlarm::broken: return "broken";
  }
  return "none";
}

PoolAlarm pool_alarm(const PoolFill& fill, PoolAlarm before) {
  if (!fill.problem.empty()) return PoolAlarm::broken;
  for (const Threshold& threshold : thresholds) {
    const bool was_reached = before != PoolAlarm::broken && before >= threshold.alarm;
    if (fill.worst() >= threshold.percent - (was_reached ? slack : 0.0)) return threshold.alarm;
  }
  return PoolAlarm::none;
}

PoolAdvice explain(PoolAlarm alarm, const PoolFill& fill, const PoolName& pool, const NodeName& node, const std::string& thin_pool) {
  if (alarm == PoolAlarm::broken) {
    return {fmt::format("storage pool {} on {}: {}", pool.str(), node.str(), fill.problem), fmt::format("on {}: {}", node.str(), fill.remedy.empty() ? "hvctl storage list; vgs; lvs" : fill.remedy)};
  }
  const std::string shares = fill.metadata_percent ? fmt::format("data {:.1f} %, metadata {:.1f} %", fill.data_percent, *fill.metadata_percent) : fmt::format("{:.1f} % used", fill.data_percent);
  std::string text = fmt::format("storage pool {} on {} fills up: {}{}", pool.str(), node.str(), shares, consequence(alarm));
  if (thin_pool.empty()) return {std::move(text), fmt::format("on {}: make room in the file system of the pool", node.str())};
  // Metadata that is full stops a pool just as well, and needs another command.
  const bool is_metadata = fill.metadata_percent.value_or(0) > fill.data_percent;
  return {std::move(text), fmt::format("on {}: lvextend {} {}", node.str(), is_metadata ? "--poolmetadatasize +256M" : "--size +10G", thin_pool)};
}

PoolAdvice explain_waiting(const PoolName& pool, const NodeName& node, const std::string& thin_pool) {
  return {fmt::format("storage pool {} on {} lets writes wait when it is full: every guest that writes to it would stand still before this node's copies are cut off; nothing new is created in it", pool.str(), node.str()),
          fmt::format("on {}: lvchange --errorwhenfull y {}", node.str(), thin_pool)};
}

Json to_json(const PoolFacts& facts) {
  Json json = {{"alarm", to_text(facts.alarm)}, {"data_hundredths", hundredths(facts.fill.data_percent)}, {"problem", facts.fill.problem}};
  if (!facts.fill.remedy.empty()) json["remedy"] = facts.fill.remedy;
  if (facts.fill.waits_when_full) json["waits_when_full"] = true;
  if (facts.fill.metadata_percent) json["metadata_hundredths"] = hundredths(*facts.fill.metadata_percent);
  return json;
}

Result<PoolFacts> pool_facts_from_json(const Json& json) {
  Fields fields(json, "pool facts");
  PoolFacts facts;
  facts.fill.data_percent = fields.required<std::uint32_t>("data_hundredths") / 100.0;
  if (const auto metadata = fields.optional<std::uint32_t>("metadata_hundredths")) facts.fill.metadata_percent = *metadata / 100.0;
  facts.fill.problem = fields.required<std::string>("problem");
  facts.fill.remedy = fields.optional_or<std::string>("remedy", "");
  facts.fill.waits_when_full = fields.optional_or<bool>("waits_when_full", false);
  const auto alarm = fields.required<std::string>("alarm");
  MCV_CHECK(fields.finish_lenient());
  for (const PoolAlarm known : {PoolAlarm::filling, PoolAlarm::nearly_full, PoolAlarm::full, PoolAlarm::broken}) {
    if (to_text(known) == alarm) facts.alarm = known;
  }
  return facts;
}

}  // namespace mcv
