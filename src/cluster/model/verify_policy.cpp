// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/verify_policy.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <string_view>

namespace mcv {
namespace {

std::optional<std::int64_t> positive(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || value <= 0) return std::nullopt;
  return value;
}

}  // namespace

VerifyPolicy verify_policy(const ClusterState& state) {
  VerifyPolicy policy;
  if (const auto age = state.setting(verify_age_setting)) {
    if (*age == "off") policy.age_limit_seconds.reset();
    else policy.age_limit_seconds = positive(*age).value_or(default_verify_age);
  }
  if (const auto parallel = state.setting(verify_parallel_setting)) {
    const auto count = positive(*parallel);
    if (count && *count <= most_verifies_at_once) policy.parallel = static_cast<unsigned>(*count);
  }
  if (const auto calendar = state.setting(verify_calendar_setting); calendar && is_calendar_text(*calendar)) policy.calendar = *calendar;
  return policy;
}

bool is_calendar_text(std::string_view text) {
  constexpr std::string_view others = " *:/,.~-+";
  if (text.empty() || text.size() > 200 || text.front() == ' ' || text.back() == ' ') return false;
  return std::all_of(text.begin(), text.end(), [&](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || others.find(c) != std::string_view::npos; });
}

std::string age_words(std::int64_t seconds) {
  if (seconds >= 2 * 86'400) return fmt::format("{} d", seconds / 86'400);
  if (seconds >= 2 * 3600) return fmt::format("{} h", seconds / 3600);
  return fmt::format("{} min", seconds / 60);
}

std::optional<std::string> verify_overdue(const VolumeRecord& volume, const ClusterState& state, std::int64_t now_wall) {
  const auto limit = verify_policy(state).age_limit_seconds;
  if (!limit || volume.kind != VolumeKind::drbd || !state.is_cluster()) return std::nullopt;
  const std::int64_t since = volume.verdict.wall_seconds;
  if (now_wall - since <= *limit) return std::nullopt;
  if (volume.verdict.kind != VerdictKind::never) return fmt::format("the copies of {} were compared last {} ago, which is longer than {}", volume.name.str(), age_words(now_wall - since), age_words(*limit));
  if (since > 0) return fmt::format("the copies of {} were never compared, for {}", volume.name.str(), age_words(now_wall - since));
  return fmt::format("the copies of {} were never compared", volume.name.str());
}

}  // namespace mcv
