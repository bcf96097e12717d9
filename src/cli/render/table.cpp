// SPDX-License-Identifier: Apache-2.0
#include "cli/render/table.h"

#include <algorithm>
#include <numeric>

#include "cli/render/columns.h"

namespace mcv::cli {
namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t block_indent = 4;
constexpr std::size_t block_gap = 3;
/// A name is never broken, nor a word within half a line; what a tool said may be, rather than the whole table become blocks for it.
constexpr std::size_t longest_name = 48;

std::size_t sum(const std::vector<std::size_t>& numbers) { return std::accumulate(numbers.begin(), numbers.end(), std::size_t{0}); }

std::size_t longest_word(std::string_view text) {
  std::size_t longest = 0;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    longest = std::max(longest, width_of(text.substr(0, space)));
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  return longest;
}

/// A row in which nothing wraps, as nearly all are. False, and nothing is appended, for another.
bool append_line(std::string& text, const std::vector<Cell>& row, const std::vector<std::size_t>& widths, bool colour) {
  const std::size_t begin = text.size();
  std::size_t pending = 0;  // spaces owed before the next word, so that no line ends in spaces
  for (std::size_t i = 0; i < widths.size() && i < row.size(); ++i) {
    const std::string& cell = row[i].text;
    if (cell.size() > widths[i] || !is_plain(cell) || cell.starts_with(' ') || cell.ends_with(' ')) {
      text.resize(begin);
      return false;
    }
    if (!cell.empty()) {
      text.append(pending, ' ');
      if (colour) text += paint(row[i].tone, cell, colour);
      else text += cell;
      pending = 0;
    }
    pending += widths[i] - cell.size() + gap;
  }
  text += '\n';
  return true;
}

void append_row(std::string& text, const std::vector<Cell>& row, const std::vector<std::size_t>& widths, bool colour) {
  if (append_line(text, row, widths, colour)) return;
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

std::vector<std::size_t> Table::largest(std::size_t (*measure)(std::string_view)) const {
  std::vector<std::size_t> sizes;
  for (const std::string& title : titles_) sizes.push_back(measure(title));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size() && i < sizes.size(); ++i) sizes[i] = std::max(sizes[i], measure(row[i].text));
  }
  return sizes;
}

std::vector<std::size_t> Table::column_widths(std::size_t width) const {
  std::vector<std::size_t> widths = largest(width_of);
  if (width == 0 || widths.empty()) return widths;
  const std::size_t gaps = gap * (widths.size() - 1);
  if (sum(widths) + gaps <= width) return widths;
  std::vector<std::size_t> narrowest = largest(longest_word);
  for (std::size_t& size : narrowest) size = std::min(size, std::max(longest_name, width / 2));
  if (sum(narrowest) + gaps > width) return {};
  while (sum(widths) + gaps > width) {
    std::size_t widest = widths.size();
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (widths[i] > narrowest[i] && (widest == widths.size() || widths[i] > widths[widest])) widest = i;
    }
    --widths[widest];
  }
  return widths;
}

std::string Table::blocks(std::size_t width, bool colour) const {
  std::string text;
  for (const auto& row : rows_) {
    if (row.empty()) continue;
    text += paint(Tone::strong, printable(row[0].text), colour) + "\n";
    std::size_t used = 0;
    for (std::size_t i = 1; i < row.size() && i < titles_.size(); ++i) {
      const std::string value = printable(row[i].text);
      if (value.empty()) continue;
      std::string title = titles_[i];
      std::transform(title.begin(), title.end(), title.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
      const std::size_t size = width_of(title) + (title.empty() ? 0 : 1) + width_of(value);
      if (used > 0 && used + block_gap + size > width) {
        text += "\n";
        used = 0;
      }
      text += used == 0 ? std::string(block_indent, ' ') : std::string(block_gap, ' ');
      text += title.empty() ? "" : paint(Tone::faint, title, colour) + " ";
      const std::size_t before = block_indent + size - width_of(value);
      const std::vector<std::string> lines = wrapped(value, width > before ? width - before : 1);
      for (std::size_t line = 0; line < lines.size(); ++line) text += (line == 0 ? "" : "\n" + std::string(before, ' ')) + paint(row[i].tone, lines[line], colour);
      used += (used == 0 ? block_indent : block_gap) + size;
    }
    if (used > 0) text += "\n";
  }
  return text;
}

std::string Table::to_text(std::size_t width, bool colour) const {
  const std::vector<std::size_t> widths = column_widths(width);
  if (widths.empty()) return blocks(width, colour);
  std::string text;
  std::vector<Cell> heading;
  for (const std::string& title : titles_) heading.emplace_back(title, Tone::strong);
  append_row(text, heading, widths, colour);
  for (const auto& row : rows_) append_row(text, row, widths, colour);
  return text;
}

}  // namespace mcv::cli
