// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mcv::cli {

/// The candidate a person most likely meant by `typed`, or empty when none is near.
std::string nearest(std::string_view typed, const std::vector<std::string>& candidates);

}  // namespace mcv::cli
