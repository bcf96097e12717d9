// SPDX-License-Identifier: Apache-2.0
// Keys as text, for JSON and for the secrets file.
#pragma once

#include <string>
#include <string_view>

#include "cluster/core/result.h"

namespace mcv::join {

std::string hex_of(std::string_view bytes);
/// `bad_request` for anything but pairs of lower-case hex digits.
Result<std::string> bytes_of_hex(std::string_view hex);

}  // namespace mcv::join
