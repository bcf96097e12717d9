// SPDX-License-Identifier: Apache-2.0
#include "cli/render/table.h"

#include <algorithm>
#include <numeric>

namespace mcv::cli {
namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t narrowest = 8;

void append_row(std::string& text, const std::vector<Cell>& row, const std::vector<std::size_t>& widths, bool colour) {
  std::vector<std::vector<std::string>> cells;
  std::size_t height = 1;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    cells.push_back(i < row.size() ? wrapped(printable(row[i].text), widths[i]) : std::vector<std::string>{""});
    height = std::max(height, cells.back().size());
  }
  for (std::size_t line = 0; line < height; ++line) {
    std::string shown;
    std::size_t pending = 0;  // spaces owed before the next word, so that no line ends in spaces
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string cell = line < cells[i].size() ? cells[i][line] : "";
      if (!cell.empty()) {
        shown += std::string(pending, ' ') + paint(row[i].tone, cell, colour);
        pending = 0;
      }
      pending += widths[i] - std::min(widths[i], width_of(cell)) + gap;
    }
    text += shown + "\n";
  }
}

}  // namespace

std::vector<std::size_t> Table::column_widths(std::size_t width) const {
  std::vector<std::size_t> widths;
  for (const std::string& title : titles_) widths.push_back(width_of(title));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i].text));
  }
  if (width == 0 || widths.empty()) return widths;
  const std::size_t room = width - std::min(width, gap * (widths.size() - 1));
  while (std::accumulate(widths.begin(), widths.end(), std::size_t{0}) > room) {
    const auto widest = std::max_element(widths.begin(), widths.end());
    if (*widest <= narrowest) break;
    --*widest;
  }
  return widths;
}

std::string Table::to_text(std::size_t width, bool colour) const {
  const std::vector<std::size_t> widths = column_widths(width);
  std::string text;
  std::vector<Cell> heading;
  for (const std::string& title : titles_) heading.emplace_back(title, Tone::strong);
  append_row(text, heading, widths, colour);
  for (const auto& row : rows_) append_row(text, row, widths, colour);
  return text;
}

}  // namespace mcv::cli
