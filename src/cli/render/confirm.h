// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cluster/core/result.h"

namespace mcv::cli {

class Session;

/// Asks to type `expected` after showing `question`. Passes without asking for --yes and --dry-run. Errors: not_confirmed,
/// also when nobody is at the terminal.
Status confirm_typed(Session& session, std::string_view question, std::string_view expected);

}  // namespace mcv::cli
