// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <string>

namespace mcv::sim {

/// What happened, for people, and a hash of all of it: two runs of one seed must have equal hashes.
class Trace {
 public:
  explicit Trace(std::size_t keep = 60) : keep_(keep) {}
  void set_print(bool print) { print_ = print; }
  /// Kept lines; everything counts for the hash.
  void line(std::string text);
  const std::deque<std::string>& last() const { return last_; }
  std::uint64_t hash() const { return hash_; }
  std::uint64_t lines() const { return lines_; }

 private:
  std::size_t keep_;
  bool print_ = false;
  std::deque<std::string> last_;
  std::uint64_t hash_ = 1469598103934665603ULL;
  std::uint64_t lines_ = 0;
};

}  // namespace mcv::sim
