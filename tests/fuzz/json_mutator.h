// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <random>
#include <string>
#include <string_view>

namespace mcv::fuzz {

/// `text` with one value of its JSON replaced, doubled, swapped or gone: the whole of it, or what stands in one line or between 0x1e.
/// Bytes that are flipped at random mostly give what is no JSON, and no reader behind the parser sees that. Nothing where none is JSON.
std::optional<std::string> spoil_json(std::string_view text, std::minstd_rand& random);

}  // namespace mcv::fuzz
