// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cluster/core/json.h"

namespace mcv::cli::commands {

/// What a change of addresses means for the firewall, to be shown after it; empty when mcvd said nothing of it.
std::string firewall_text(const Json& answer);

}  // namespace mcv::cli::commands
