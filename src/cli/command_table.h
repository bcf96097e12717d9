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
/// "vm" of "vm create", "migrate" of "migrate": what the command's page of the manual is called after.
std::string_view first_word_of(const Command& command);
bool is_noun(std::string_view text);
/// What the commands of a noun are about, one line without a full stop; their verbs for a noun that nobody described.
std::string summary_of_noun(std::string_view noun);
std::vector<std::string> verbs_of(std::string_view noun);
/// Nouns and one-word commands.
std::vector<std::string> all_first_words();
std::vector<std::string> all_spellings();

}  // namespace mcv::cli
