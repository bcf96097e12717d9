// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/ages.h"

#include <charconv>
#include <chrono>
#include <fmt/format.h>

#include "cli/commands/views.h"
#include "cli/render/text.h"
#include "cluster/core/wall_time.h"

namespace mcv::cli::commands {

Result<std::uint64_t> parse_age(std::string_view option, std::string_view text) {
  constexpr std::uint64_t most = std::uint64_t{3650} * 86'400;
  std::uint64_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  const std::uint64_t factor = unit == "h" ? 3600 : unit == "d" ? 86'400 : unit == "w" ? 7 * 86'400 : 0;
  if (code != std::errc{} || factor == 0 || number == 0 || number > most / factor) {
    return Error(ErrorCode::bad_request, fmt::format("'{}' is not an age for {}", text, option)).with_safe("nothing was asked of mcvd").with_next("write a number with h, d or w: 12h, 30d, 4w");
  }
  return number * factor;
}

Cell verified_cell(const Json& volume) {
  Cell cell = verdict_cell(object_at(volume, "verdict"));
  const bool is_calm = cell.tone == Tone::plain || cell.tone == Tone::good;
  if (flag_at(volume, "verify_overdue") && is_calm) cell.tone = Tone::warning;
  return cell;
}

std::string days_text(std::int64_t seconds) { return seconds % 86'400 == 0 ? fmt::format("{} d", seconds / 86'400) : fmt::format("{} h", seconds / 3600); }

std::string ago_text(std::int64_t seconds) {
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  const std::string age = age_text(seconds, now);
  return age == "unknown" ? "at an unknown time" : age + " ago";
}

std::string time_text(std::int64_t seconds) { return local_time_text(seconds); }

}  // namespace mcv::cli::commands
