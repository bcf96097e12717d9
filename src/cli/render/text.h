// SPDX-License-Identifier: Apache-2.0
// Text for terminals and logs. What came from outside never reaches a terminal with its control characters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/core/json.h"

namespace mcv::cli {

enum class Tone { plain, good, warning, bad, faint, strong };

/// `text` in its colour, or unchanged when `colour` is false.
std::string paint(Tone tone, std::string_view text, bool colour);

/// Control characters and broken UTF-8 replaced by '?'.
std::string printable(std::string_view text);
/// Columns on a terminal: two for wide characters, none for accents that stand alone.
std::size_t width_of(std::string_view text);
/// Broken at spaces, inside a word only where it alone is longer than `width`. At least one line.
std::vector<std::string> wrapped(std::string_view text, std::size_t width);

/// "256 MiB"
std::string size_text(std::uint64_t bytes);
/// "3 m", "2 h", "5 d": how long ago, from two wall-clock times in seconds; "unknown" when it lies in the future.
std::string age_text(std::int64_t then, std::int64_t now);
/// "1m 3s"
std::string duration_text(std::int64_t seconds);

// Reading the API's documents for people: an absent or odd field is shown as nothing, never an error.
std::string text_at(const Json& object, const char* key);
std::uint64_t number_at(const Json& object, const char* key);
bool flag_at(const Json& object, const char* key);
const Json& list_at(const Json& object, const char* key);
const Json& object_at(const Json& object, const char* key);

/// The tone of a state word of the API: running, failed, pass, online, clean, mismatch, ...
Tone tone_of(std::string_view state);

}  // namespace mcv::cli
