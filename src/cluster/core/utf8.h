// SPDX-License-Identifier: Apache-2.0
// Text from outside that is to be sent on: JSON is UTF-8, a tool's last words may be anything.
#pragma once

#include <string>
#include <string_view>

namespace mcv {

/// `text` with every byte sequence that is not UTF-8 replaced by U+FFFD.
std::string valid_utf8(std::string_view text);

}  // namespace mcv
