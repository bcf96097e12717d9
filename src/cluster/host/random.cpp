// SPDX-License-Identifier: Apache-2.0
#include "cluster/host/random.h"

namespace mcv::host {

std::string Random::hex(std::size_t bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes * 2);
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    if (i % 8 == 0) word = next();
    text += digits[(word >> 4) & 0xf];
    text += digits[word & 0xf];
    word >>= 8;
  }
  return text;
}

std::string Random::uuid() {
  std::string text = hex(16);
  text[12] = '4';
  static constexpr char variants[] = "89ab";
  text[16] = variants[next() & 3];
  for (const std::size_t position : {std::size_t{8}, std::size_t{13}, std::size_t{18}, std::size_t{23}}) text.insert(position, 1, '-');
  return text;
}

}  // namespace mcv::host
