// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cluster/core/error.h"

namespace mcv::cli {

/// What happened, what is safe, what to type next; wrapped to `width` (0: not wrapped). Ends in a newline.
std::string problem_text(const Error& error, std::size_t width, bool colour);

}  // namespace mcv::cli
