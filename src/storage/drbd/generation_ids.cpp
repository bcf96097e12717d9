// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/generation_ids.h"

#include <charconv>
#include <cstdint>
#include <fmt/format.h>

namespace mcv::drbd {

Result<std::string> generation_from(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end == text.data() + text.size() || *end != ':') return Error(ErrorCode::bad_output, "DRBD's generation identifiers could not be read");
  return fmt::format("{:016X}", value & ~std::uint64_t{1});
}

Result<std::vector<std::string>> all_generations_from(std::string_view text) {
  std::vector<std::string> found;
  for (int place = 0; place < 4; ++place) {
    MCV_TRY(std::string one, generation_from(text));
    // Nothing, and "just created".
    const bool says_something = one != "0000000000000000" && one != "0000000000000004";
    if (says_something) found.push_back(std::move(one));
    text.remove_prefix(text.find(':') + 1);
  }
  return found;
}

}  // namespace mcv::drbd
