// SPDX-License-Identifier: Apache-2.0
#include "cli/render/columns.h"

#include <algorithm>
#include <clocale>
#include <cstdint>
#include <cwchar>

namespace mcv::cli {
namespace {

/// Bytes of the sequence at `at`, 0 when it is broken.
std::size_t sequence_length(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const std::size_t length = lead < 0x80 ? 1 : lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
  if (length == 0 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[at + i]) & 0xc0U) != 0x80U) return 0;
  }
  return length;
}

wchar_t code_point(std::string_view sequence) {
  auto code = static_cast<std::uint32_t>(static_cast<unsigned char>(sequence[0]));
  if (sequence.size() > 1) code &= 0xffU >> (sequence.size() + 1);
  for (std::size_t i = 1; i < sequence.size(); ++i) code = (code << 6) | (static_cast<unsigned char>(sequence[i]) & 0x3fU);
  return static_cast<wchar_t>(code);
}

/// As libc's table says, whatever the locale of the command is: a table of mcv's own would be one more to keep up to date. C.UTF-8 comes
/// with libc; where it is missing every character counts as one column.
int libc_width(wchar_t code) {
  static const locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  if (utf8 == nullptr) return 1;
  const locale_t before = uselocale(utf8);
  const int width = wcwidth(code);
  uselocale(before);
  return width;
}

}  // namespace

Glyph glyph_at(std::string_view text, std::size_t at) {
  Glyph glyph;
  const std::size_t length = sequence_length(text, at);
  glyph.valid = length > 0;
  glyph.bytes = std::max<std::size_t>(length, 1);
  if (length <= 1) return glyph;
  const int width = libc_width(code_point(text.substr(at, length)));
  glyph.columns = width < 0 ? 1 : static_cast<std::size_t>(width);  // controls and what no table knows
  return glyph;
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

}  // namespace mcv::cli
