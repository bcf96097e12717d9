// SPDX-License-Identifier: Apache-2.0
#include "hv/vmm_words.h"

namespace mcv::hv {
namespace {

constexpr std::size_t limit = 1000;

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; }

}  // namespace

std::string vmm_words(std::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  std::string words(text.substr(0, limit));
  if (text.size() > limit) {
    while (!words.empty() && is_continuation(text[words.size()])) words.pop_back();  // not in the middle of a character
    words += " ...";
  }
  for (char& c : words) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '\n') c = ';';
    else if (code < 0x20 || code == 0x7f) c = '?';
  }
  return words;
}

}  // namespace mcv::hv
