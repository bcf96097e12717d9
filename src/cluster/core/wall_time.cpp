// SPDX-License-Identifier: Apache-2.0
#include "cluster/core/wall_time.h"

#include <ctime>
#include <fmt/chrono.h>

namespace mcv {
namespace {

constexpr std::int64_t end_of_9999 = 253'402'300'799;

/// fmt throws for a year that is no int.
template <typename Zone>
std::string shown(std::int64_t wall_seconds, Zone zone) {
  if (wall_seconds < 0 || wall_seconds > end_of_9999) return "an impossible time";
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", zone(static_cast<std::time_t>(wall_seconds)));
}

}  // namespace

std::string utc_text(std::int64_t wall_seconds) {
  return shown(wall_seconds, [](std::time_t time) { return fmt::gmtime(time); });
}

std::string local_time_text(std::int64_t wall_seconds) {
  return shown(wall_seconds, [](std::time_t time) { return fmt::localtime(time); });
}

}  // namespace mcv
