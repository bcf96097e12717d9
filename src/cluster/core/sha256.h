// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace mcv {

/// Lower-case hex.
std::string sha256_hex(std::string_view bytes);

}  // namespace mcv
