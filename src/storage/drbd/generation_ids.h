// SPDX-License-Identifier: Apache-2.0
// DRBD's generation identifiers, as drbdsetup and drbdmeta tell them: "E54E31AFA2B2F2E9:0000…:…:…:1:1:…".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cluster/core/result.h"

namespace mcv::drbd {

/// The current one, without its lowest bit.
Result<std::string> generation_from(std::string_view text);
/// Of the current one and the three before it those that say something.
Result<std::vector<std::string>> all_generations_from(std::string_view text);

}  // namespace mcv::drbd
