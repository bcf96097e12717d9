// SPDX-License-Identifier: Apache-2.0
#include "hv/console.h"

#include <algorithm>
#include <fmt/format.h>

namespace mcv::hv {

void ConsoleRing::push(std::string_view bytes) {
  bytes_ += bytes;
  // Trimmed at twice the limit, so that a byte is moved once on average.
  if (bytes_.size() <= 2 * limit_) return;
  const std::size_t surplus = bytes_.size() - limit_;
  bytes_.erase(0, surplus);
  begin_ += surplus;
}

std::uint64_t ConsoleRing::before_end(std::size_t count) const { return end() - std::min<std::uint64_t>(count, bytes_.size()); }

ConsoleRing::Piece ConsoleRing::read(std::uint64_t position, std::size_t most) const {
  Piece piece;
  const std::uint64_t from = std::clamp(position, begin_, end());
  piece.skipped = from > position ? from - position : 0;
  piece.bytes = bytes_.substr(static_cast<std::size_t>(from - begin_), most);
  piece.next = from + piece.bytes.size();
  return piece;
}

std::string_view missed_output(std::string_view spool, std::uint64_t seen) {
  // Shorter than what was seen: it was emptied after the position was noted. Twice is better than never.
  if (seen > spool.size()) return spool;
  return spool.substr(static_cast<std::size_t>(seen));
}

std::string skip_notice(std::uint64_t bytes) { return fmt::format("\r\n[mcv: {} bytes skipped, this viewer was too slow]\r\n", bytes); }

}  // namespace mcv::hv
