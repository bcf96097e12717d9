// SPDX-License-Identifier: Apache-2.0
// Sizes as a type. Everything inside is bytes; text has binary units ("256M" = 256 MiB), as lvcreate reads it.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "cluster/core/result.h"

namespace mcv {

class Bytes {
 public:
  constexpr Bytes() = default;
  constexpr explicit Bytes(std::uint64_t count) : count_(count) {}
  static constexpr Bytes kib(std::uint64_t n) { return Bytes(n << 10); }
  static constexpr Bytes mib(std::uint64_t n) { return Bytes(n << 20); }
  static constexpr Bytes gib(std::uint64_t n) { return Bytes(n << 30); }

  /// "256M", "10G", "1T", "4096" (bytes), "512K"; also "256MiB". Refuses fractions, signs, zero and overflow.
  static Result<Bytes> parse(std::string_view text);

  constexpr std::uint64_t count() const { return count_; }
  constexpr std::uint64_t sectors() const { return count_ / 512; }
  constexpr std::uint64_t in_mib() const { return count_ >> 20; }
  /// "256 MiB", "1.5 GiB": for people.
  std::string to_text() const;

  friend constexpr auto operator<=>(const Bytes&, const Bytes&) = default;
  friend constexpr Bytes operator+(Bytes a, Bytes b) { return Bytes(a.count_ + b.count_); }
  /// Never below zero: the question is always "how much is left".
  friend constexpr Bytes operator-(Bytes a, Bytes b) { return Bytes(a.count_ > b.count_ ? a.count_ - b.count_ : 0); }

 private:
  std::uint64_t count_ = 0;
};

}  // namespace mcv
