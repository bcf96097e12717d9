// SPDX-License-Identifier: Apache-2.0
#include "cluster/core/units.h"

#include <array>
#include <charconv>
#include <fmt/format.h>

namespace mcv {
namespace {

Error bad_size(std::string_view text) {
  return Error(ErrorCode::bad_size, fmt::format("'{}' is not a size", text.substr(0, 40)))
      .with_next("write a whole number with K, M, G or T, for example 256M or 10G");
}

int shift_of(std::string_view unit) {
  if (unit.empty() || unit == "B") return 0;
  std::string_view rest = unit.substr(1);
  if (!rest.empty() && rest != "iB" && rest != "i") return -1;
  switch (unit.front()) {
    case 'k': case 'K': return 10;
    case 'm': case 'M': return 20;
    case 'g': case 'G': return 30;
    case 't': case 'T': return 40;
    default: return -1;
  }
}

}  // namespace

Result<Bytes> Bytes::parse(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc{} || number == 0) return bad_size(text);
  const int shift = shift_of(text.substr(static_cast<std::size_t>(end - text.data())));
  if (shift < 0 || (number << shift) >> shift != number || number << shift > (std::uint64_t{1} << 60)) return bad_size(text);
  return Bytes(number << shift);
}

std::string Bytes::to_text() const {
  static constexpr std::array<std::string_view, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  double value = static_cast<double>(count_);
  while (value >= 1024.0 && unit + 1 < units.size()) {
    value /= 1024.0;
    ++unit;
  }
  const bool whole = value == static_cast<double>(static_cast<std::uint64_t>(value));
  if (whole) return fmt::format("{} {}", static_cast<std::uint64_t>(value), units[unit]);
  return fmt::format("{:.1f} {}", value, units[unit]);
}

}  // namespace mcv
