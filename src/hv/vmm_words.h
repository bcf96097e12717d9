// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace mcv::hv {

/// What a VMM said, fit for a message and a terminal: one line of at most 1,000 bytes without control characters. A VMM that was
/// taken over from inside its guest chooses these words.
std::string vmm_words(std::string_view text);

}  // namespace mcv::hv
