// SPDX-License-Identifier: Apache-2.0
#include "daemon/join/hex.h"

namespace mcv::join {

std::string hex_of(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += digits[byte >> 4];
    text += digits[byte & 0xf];
  }
  return text;
}

Result<std::string> bytes_of_hex(std::string_view hex) {
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  if (hex.size() % 2 != 0) return Error(ErrorCode::bad_request, "a key is not hexadecimal");
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = digit(hex[i]);
    const int low = digit(hex[i + 1]);
    if (high < 0 || low < 0) return Error(ErrorCode::bad_request, "a key is not hexadecimal");
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

}  // namespace mcv::join
