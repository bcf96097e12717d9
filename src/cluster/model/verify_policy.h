// SPDX-License-Identifier: Apache-2.0
// What the cluster is told about verifies: shared settings. A build that does not know them only raises no alarm.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cluster/model/cluster_state.h"

namespace mcv {

inline constexpr const char* verify_age_setting = "verify-age";            ///< seconds, or "off"
inline constexpr const char* verify_parallel_setting = "verify-parallel";  ///< volumes at once
inline constexpr const char* verify_calendar_setting = "verify-calendar";  ///< as systemd.time(7) has it, or "off"
inline constexpr std::int64_t default_verify_age = 30 * 86'400;
inline constexpr unsigned most_verifies_at_once = 8;

struct VerifyPolicy {
  std::optional<std::int64_t> age_limit_seconds = default_verify_age;  ///< nothing: no alarm
  unsigned parallel = 1;
  std::optional<std::string> calendar;  ///< "off": no timer. Nothing: the timer is not the cluster's affair
  friend bool operator==(const VerifyPolicy&, const VerifyPolicy&) = default;
};
/// Characters of a calendar and nothing else: it becomes a line of a unit file. Whether systemd takes it is another question.
bool is_calendar_text(std::string_view text);

/// As committed; a word nobody knows is the default.
VerifyPolicy verify_policy(const ClusterState& state);

/// Why it is time to compare this volume's copies; nothing while it is not. A wall clock that was set back makes no alarm. A
/// verdict "never" carries since when; without that nobody knows, which is long enough.
std::optional<std::string> verify_overdue(const VolumeRecord& volume, const ClusterState& state, std::int64_t now_wall);

/// "30 d", "12 h": for people.
std::string age_words(std::int64_t seconds);

}  // namespace mcv
