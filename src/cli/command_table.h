// SPDX-License-Identifier: Apache-2.0
// All commands, in the order help shows them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"

namespace mcv::cli {

const std::vector<Command>& command_table();
/// Routes any command may use besides its own: following operations, and names for suggestions.
const std::vector<Route>& shared_routes();

/// By name or by another accepted spelling.
const Command* find_spelling(std::string_view text);
bool is_noun(std::string_view text);
std::vector<std::string> verbs_of(std::string_view noun);
/// Nouns and one-word commands.
std::vector<std::string> all_first_words();
std::vector<std::string> all_spellings();

}  // namespace mcv::cli
