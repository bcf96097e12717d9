// SPDX-License-Identifier: Apache-2.0
// Help out of the command table.
#pragma once

#include <string>
#include <string_view>

#include "cli/command.h"

namespace mcv::cli {

/// About everything (empty topic), a noun or a command.
std::string help_text(std::string_view topic, std::size_t width);

}  // namespace mcv::cli
