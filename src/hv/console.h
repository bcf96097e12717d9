// SPDX-License-Identifier: Apache-2.0
// One guest's console as data: a ring over an endless stream of bytes, and readers with a position in it. No I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mcv::hv {

/// The newest `limit` bytes of a stream whose bytes are numbered from 0.
class ConsoleRing {
 public:
  explicit ConsoleRing(std::size_t limit) : limit_(limit) {}

  void push(std::string_view bytes);
  std::uint64_t begin() const { return begin_; }
  std::uint64_t end() const { return begin_ + bytes_.size(); }
  /// The position `count` bytes before the end, or the oldest byte held.
  std::uint64_t before_end(std::size_t count) const;

  struct Piece {
    std::string bytes;
    std::uint64_t skipped = 0;  ///< bytes that were overwritten before this reader came to them
    std::uint64_t next = 0;     ///< where to go on
  };
  /// From `position` to the end, at most `most` bytes.
  Piece read(std::uint64_t position, std::size_t most) const;

 private:
  std::size_t limit_;
  std::uint64_t begin_ = 0;
  std::string bytes_;
};

/// The part of a VMM's spool that was printed while nobody was attached. `seen` = bytes of it that came by the socket as well.
std::string_view missed_output(std::string_view spool, std::uint64_t seen);

/// For a viewer that was too slow.
std::string skip_notice(std::uint64_t bytes);

}  // namespace mcv::hv
