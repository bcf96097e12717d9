// SPDX-License-Identifier: Apache-2.0
// Questions of the join, asked at the controlling terminal so that standard input stays free for a password or a pipe.
#pragma once

#include <string>

#include "cli/join/secret.h"
#include "cluster/core/result.h"

namespace mcv::cli {

/// False when there is nobody to ask: cron, a script.
bool can_prompt();
/// Reads a line without echo. Errors: cancelled (Ctrl-C), not_confirmed (no terminal).
Result<Secret> prompt_secret(const std::string& question);
/// True only for "yes".
Result<bool> prompt_yes(const std::string& question);
/// The first line of standard input, for --password-stdin. Errors: bad_request when it is empty or too long.
Result<Secret> secret_from_stdin();

}  // namespace mcv::cli
