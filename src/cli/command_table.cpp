// SPDX-License-Identifier: Apache-2.0
#include "cli/command_table.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utility>

#include "cli/commands/commands.h"

namespace mcv::cli {

const std::vector<Command>& command_table() {
  static const std::vector<Command> commands = commands::all();
  return commands;
}

const std::vector<Route>& shared_routes() {
  static const std::vector<Route> routes{
      {"GET", "/v1/operations/{id}"}, {"GET", "/v1/operations/{id}/events"}, {"GET", "/v1/operations"},
      {"GET", "/v1/vms"},             {"GET", "/v1/nodes"},                  {"GET", "/v1/networks"},
      {"GET", "/v1/storage"},         {"GET", "/v1/users"},                  {"GET", "/v1/groups"},
      {"GET", "/v1/snapshots"},              {"GET", "/v1/quarantine"},
  };
  return routes;
}

const Command* find_spelling(std::string_view text) {
  for (const Command& command : command_table()) {
    if (command.name == text || std::find(command.also.begin(), command.also.end(), text) != command.also.end()) return &command;
  }
  return nullptr;
}

std::string_view first_word_of(const Command& command) { return command.name.substr(0, command.name.find(' ')); }

bool is_noun(std::string_view text) {
  return std::any_of(command_table().begin(), command_table().end(), [text](const Command& command) {
    return command.name.size() > text.size() && command.name.starts_with(text) && command.name[text.size()] == ' ';
  });
}

std::vector<std::string> verbs_of(std::string_view noun) {
  std::vector<std::string> verbs;
  for (const Command& command : command_table()) {
    if (command.name.size() > noun.size() && command.name.starts_with(noun) && command.name[noun.size()] == ' ') verbs.emplace_back(command.name.substr(noun.size() + 1));
  }
  return verbs;
}

std::string summary_of_noun(std::string_view noun) {
  static constexpr std::pair<std::string_view, std::string_view> summaries[]{
      {"node", "prepare a machine, show both, give this one its addresses"},
      {"cluster", "two nodes as one: join, removal, loss of a node, policies"},
      {"storage", "pools of both nodes, snapshots, copies in quarantine, what belongs to nothing"},
      {"drbd", "replication of disks to the other node"},
      {"network", "networks that guests are plugged into"},
      {"vm", "make, run, change and look at virtual machines"},
      {"op", "operations: what is being done, and how it ended"},
      {"user", "accounts of those who may ask mcvd beside root"},
      {"group", "accounts that are given roles together"},
      {"grant", "which roles a user or a group has, and where"},
      {"explain", "why something is allowed, or is not"},
  };
  for (const auto& [name, summary] : summaries) {
    if (name == noun) return std::string(summary);
  }
  return fmt::format("{}", fmt::join(verbs_of(noun), ", "));
}

std::vector<std::string> all_first_words() {
  std::vector<std::string> words;
  for (const std::string& spelling : all_spellings()) {
    std::string first = spelling.substr(0, spelling.find(' '));
    if (std::find(words.begin(), words.end(), first) == words.end()) words.push_back(std::move(first));
  }
  return words;
}

std::vector<std::string> all_spellings() {
  std::vector<std::string> spellings;
  for (const Command& command : command_table()) {
    spellings.emplace_back(command.name);
    for (const std::string_view other : command.also) spellings.emplace_back(other);
  }
  return spellings;
}

}  // namespace mcv::cli
