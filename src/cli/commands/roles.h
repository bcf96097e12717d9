// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/command.h"
#include "cluster/core/json.h"

namespace mcv::cli::commands {

/// "operator on vm1, viewer (ops)": roles as the API lists them; empty for none.
std::string roles_text(const Json& roles);
/// --user or --group, --role and --vm as a request; what is missing or too much is an error.
Result<Json> grant_body(const Arguments& arguments);
/// "alice has the role operator on vm1"
std::string grant_text(const Arguments& arguments);
/// The options of both commands that name a grant.
std::vector<Option> grant_options();

}  // namespace mcv::cli::commands
