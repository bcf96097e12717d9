// SPDX-License-Identifier: Apache-2.0
// Wall-clock times for people. They come from records and answers, where any number can stand.
#pragma once

#include <cstdint>
#include <string>

namespace mcv {

/// "2026-11-29 02:00:07"; "an impossible time" of seconds that are in no year from 1970 to 9999.
std::string utc_text(std::int64_t wall_seconds);
/// The same in this machine's time zone.
std::string local_time_text(std::int64_t wall_seconds);

}  // namespace mcv
