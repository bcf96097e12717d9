// SPDX-License-Identifier: Apache-2.0
// Times and ages as commands show and read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/render/table.h"
#include "cluster/core/json.h"
#include "cluster/core/result.h"

namespace mcv::cli::commands {

/// "30d", "12h", "4w" in seconds: at most ten years.
Result<std::uint64_t> parse_age(std::string_view option, std::string_view text);
/// The verdict of a volume's document with its age; louder when it is time to verify again.
Cell verified_cell(const Json& volume);
/// "30 d", "12 h"
std::string days_text(std::int64_t seconds);
/// "3 d ago", "at an unknown time" after a clock was set back.
std::string ago_text(std::int64_t wall_seconds);
/// Local time, "2026-11-29 02:00:07".
std::string time_text(std::int64_t wall_seconds);

}  // namespace mcv::cli::commands
