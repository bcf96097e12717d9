// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "cluster/host/random.h"

namespace mcv::sim {

/// All chance of a run comes from its seed (SplitMix64: every seed gives a good sequence, also 0, 1, 2 …).
class Chance final : public host::Random {
 public:
  explicit Chance(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() override {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  /// 0 … limit-1.
  std::uint64_t below(std::uint64_t limit) { return limit == 0 ? 0 : next() % limit; }
  std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + below(high - low + 1); }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  bool percent(unsigned p) { return below(100) < p; }

 private:
  std::uint64_t state_;
};

}  // namespace mcv::sim
