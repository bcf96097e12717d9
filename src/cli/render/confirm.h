// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/session.h"

namespace mcv::cli {

/// Not with --yes, nor with --dry-run.
bool is_asked_for(const Session& session);

/// Asks to type `expected` after showing `question`. Passes where nothing is asked for. Errors: not_confirmed,
/// also when nobody is at the terminal.
Status confirm_typed(Session& session, std::string_view question, std::string_view expected);

/// Deletes each of `names` by its route, after each was typed. What mcvd would refuse is not asked for: nobody types a name to hear that
/// it does not exist, and what was not typed is not sent.
Result<int> delete_confirmed(Session& session, const std::vector<std::string>& names, Completes kind, std::string_view path,
                             const std::function<std::string(const std::string&)>& question, const std::function<std::string(const std::string&)>& done_text);

}  // namespace mcv::cli
