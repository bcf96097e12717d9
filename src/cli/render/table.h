// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/render/text.h"

namespace mcv::cli {

struct Cell {
  Cell(std::string text_in, Tone tone_in = Tone::plain) : text(std::move(text_in)), tone(tone_in) {}
  Cell(const char* text_in) : text(text_in) {}
  std::string text;
  Tone tone = Tone::plain;
};

/// Left-aligned columns two spaces apart. Nothing is cut off and no word is broken: where the terminal is too narrow the widest
/// columns wrap at spaces, and where even that does not fit every row becomes a block of "title value" pairs.
class Table {
 public:
  explicit Table(std::vector<std::string> titles) : titles_(std::move(titles)) {}
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }

  /// `width` 0: as wide as it gets (pipes and files).
  std::string to_text(std::size_t width, bool colour) const;

 private:
  /// Empty when the table cannot be had in `width`.
  std::vector<std::size_t> column_widths(std::size_t width) const;
  /// Of each column, titles included.
  std::vector<std::size_t> largest(std::size_t (*measure)(std::string_view)) const;
  std::string blocks(std::size_t width, bool colour) const;

  std::vector<std::string> titles_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace mcv::cli
