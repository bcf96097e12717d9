// SPDX-License-Identifier: Apache-2.0
// How many columns of a terminal a character takes.
#pragma once

#include <cstddef>
#include <string_view>

namespace mcv::cli {

/// The character of UTF-8 that begins at `at`.
struct Glyph {
  std::size_t bytes = 1;    ///< 1 as well for a byte that belongs to none
  std::size_t columns = 1;  ///< 2 for wide ones (CJK, most emoji), 0 for what is put over the one before
  bool valid = true;
};
Glyph glyph_at(std::string_view text, std::size_t at);

/// Letters, digits and signs of ASCII only: a byte is a column.
bool is_plain(std::string_view text);

}  // namespace mcv::cli
