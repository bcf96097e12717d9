// SPDX-License-Identifier: Apache-2.0
#include "cli/render/text.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <limits>

#include "cli/render/columns.h"
#include "cluster/core/units.h"

namespace mcv::cli {
std::string paint(Tone tone, std::string_view text, bool colour) {
  if (!colour || tone == Tone::plain || text.empty()) return std::string(text);
  const char* code = "";
  switch (tone) {
    case Tone::plain: break;
    case Tone::good: code = "32"; break;
    case Tone::warning: code = "33"; break;
    case Tone::bad: code = "31"; break;
    case Tone::faint: code = "2"; break;
    case Tone::strong: code = "1"; break;
  }
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::string printable(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  std::string clean;
  clean.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Glyph glyph = glyph_at(text, at);
    const auto lead = static_cast<unsigned char>(text[at]);
    // C1 controls (U+0080 to U+009F) command some terminals as ESC does.
    const bool c1 = glyph.bytes == 2 && lead == 0xc2 && static_cast<unsigned char>(text[at + 1]) < 0xa0;
    if (!glyph.valid || c1 || (glyph.bytes == 1 && (lead < 0x20 || lead == 0x7f))) clean += lead == '\n' || lead == '\t' ? ' ' : '?';
    else clean.append(text, at, glyph.bytes);
    at += glyph.bytes;
  }
  return clean;
}

std::size_t width_of(std::string_view text) {
  if (is_plain(text)) return text.size();
  std::size_t columns = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Glyph glyph = glyph_at(text, at);
    columns += glyph.columns;
    at += glyph.bytes;
  }
  return columns;
}

namespace {

/// Bytes of as many whole characters as `width` columns hold, and of what is put over the last; at least one character.
std::size_t bytes_within(std::string_view text, std::size_t width) {
  std::size_t bytes = 0;
  std::size_t columns = 0;
  while (bytes < text.size()) {
    const Glyph glyph = glyph_at(text, bytes);
    if (bytes > 0 && columns + glyph.columns > width) break;
    columns += glyph.columns;
    bytes += glyph.bytes;
  }
  return bytes;
}

}  // namespace

std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  const bool is_trimmed = text.empty() || (text.front() != ' ' && text.back() != ' ');
  if (is_trimmed && width_of(text) <= width) return {std::string(text)};  // nearly every cell of nearly every table
  std::vector<std::string> lines{""};
  width = std::max<std::size_t>(width, 1);
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    std::string_view word = text.substr(0, space);
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
    const std::size_t used = width_of(lines.back());
    if (used > 0 && used + 1 + width_of(word) > width) lines.emplace_back();
    else if (used > 0) lines.back() += ' ';
    while (width_of(word) > width) {
      const std::size_t cut = bytes_within(word, width);
      if (cut == word.size()) break;  // one wide character in one column
      lines.back() += word.substr(0, cut);
      word.remove_prefix(cut);
      lines.emplace_back();
    }
    lines.back() += word;
  }
  return lines;
}

std::string size_text(std::uint64_t bytes) { return Bytes(bytes).to_text(); }

std::string age_text(std::int64_t then, std::int64_t now) {
  if (then <= 0 || then > now) return "unknown";
  const std::int64_t seconds = now - then;
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{} m", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{} h", seconds / 3600);
  return fmt::format("{} d", seconds / 86400);
}

std::string duration_text(std::int64_t seconds) {
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m {}s", seconds / 60, seconds % 60);
  return fmt::format("{}h {}m", seconds / 3600, seconds / 60 % 60);
}

std::string text_at(const Json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? printable(found->get_ref<const std::string&>()) : std::string();
}

namespace {

/// Cut off where it would not fit.
std::uint64_t number_of(double value) {
  constexpr double limit = 18446744073709551616.0;
  if (value >= limit) return std::numeric_limits<std::uint64_t>::max();
  return value > 0 ? static_cast<std::uint64_t>(value) : 0;
}

}  // namespace

std::uint64_t number_at(const Json& object, const char* key) {
  if (!object.is_object()) return 0;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return 0;
  if (found->is_number_float()) return number_of(found->get<double>());
  return found->is_number_unsigned() || found->get<std::int64_t>() > 0 ? found->get<std::uint64_t>() : 0;
}

bool flag_at(const Json& object, const char* key) {
  if (!object.is_object()) return false;
  const auto found = object.find(key);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

const Json& list_at(const Json& object, const char* key) {
  static const Json empty = Json::array();
  if (!object.is_object()) return empty;
  const auto found = object.find(key);
  return found != object.end() && found->is_array() ? *found : empty;
}

const Json& object_at(const Json& object, const char* key) {
  static const Json empty = Json::object();
  if (!object.is_object()) return empty;
  const auto found = object.find(key);
  return found != object.end() && found->is_object() ? *found : empty;
}

Tone tone_of(std::string_view state) {
  static constexpr std::array<std::string_view, 9> good{"running", "succeeded", "done", "pass", "online", "clean", "yes", "present", "redundant"};
  static constexpr std::array<std::string_view, 10> warning{"warn", "unknown", "paused", "starting", "stopping", "cancelled", "undone", "could-not-verify", "pending", "suspect"};
  static constexpr std::array<std::string_view, 7> bad{"failed", "fail", "offline", "mismatch", "no", "missing", "crashed"};
  const auto in = [state](const auto& words) { return std::find(words.begin(), words.end(), state) != words.end(); };
  if (in(good)) return Tone::good;
  if (in(warning)) return Tone::warning;
  return in(bad) ? Tone::bad : Tone::plain;
}

}  // namespace mcv::cli
