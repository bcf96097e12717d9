// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace mcv::cli {

/// Candidates for the last of `words` (which may be empty), one a line for config/completion. Names of objects are asked of mcvd
/// with a short deadline; without it there are none.
std::vector<std::string> complete(const std::vector<std::string>& words);

}  // namespace mcv::cli
