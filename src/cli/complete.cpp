// SPDX-License-Identifier: Apache-2.0
#include "cli/complete.h"

#include <algorithm>
#include <iostream>
#include <span>

#include "cli/arguments.h"
#include "cli/command_table.h"
#include "cli/session.h"

namespace mcv::cli {
namespace {

const Option* option_named(const std::vector<Option>& options, const std::string& word) {
  const auto found = std::find_if(options.begin(), options.end(), [&word](const Option& option) { return option.name == word || (!option.also.empty() && option.also == word); });
  return found == options.end() ? nullptr : &*found;
}

void keep_matching(std::vector<std::string>& candidates, const std::string& prefix) {
  std::erase_if(candidates, [&prefix](const std::string& candidate) { return !candidate.starts_with(prefix); });
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
}

std::vector<std::string> objects(const Command& command, Completes kind, const Globals& globals) {
  return Session(globals, Terminal{}, command, std::cout, std::cerr).names_of(kind);
}

/// The words that an option's value may be, of "on|off" or "TIME|off"; what is in capitals stands for something else.
std::vector<std::string> choices_of(std::string_view value) {
  std::vector<std::string> words;
  if (value.find('|') == std::string_view::npos) return words;
  while (true) {
    const std::size_t bar = value.find('|');
    const std::string_view word = value.substr(0, bar);
    if (std::none_of(word.begin(), word.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) words.emplace_back(word);
    if (bar == std::string_view::npos) return words;
    value.remove_prefix(bar + 1);
  }
}

std::vector<std::string> values_for(const Command& command, const Option& option, const Globals& globals) {
  std::vector<std::string> values = choices_of(option.value);
  for (std::string& name : objects(command, option.completes, globals)) values.push_back(std::move(name));
  return values;
}

/// How many operands stand in `words`, which come after the command's own.
std::size_t operands_among(const Command& command, std::span<const std::string> words) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const Option* option = option_named(command.options, words[i]);
    if (option != nullptr && !option->value.empty()) ++i;
    else if (!words[i].starts_with("-")) ++count;
  }
  return count;
}

/// What was typed already is not offered again: no command takes a name twice.
std::vector<std::string> operands_for(const Command& command, const std::vector<std::string>& before, const Globals& globals) {
  const std::size_t own = find_spelling(before.front()) == &command ? 1 : 2;
  const std::size_t typed = operands_among(command, std::span(before).subspan(std::min(own, before.size())));
  std::vector<std::string> names = objects(command, command.operands.kind_at(typed), globals);
  std::erase_if(names, [&before](const std::string& name) { return std::find(before.begin(), before.end(), name) != before.end(); });
  return names;
}

std::vector<std::string> topics_for(const std::vector<std::string>& before) {
  if (before.size() == 1) return all_first_words();
  return before.size() == 2 && is_noun(before[1]) ? verbs_of(before[1]) : std::vector<std::string>();
}

std::vector<std::string> option_names(const Command& command) {
  std::vector<std::string> names;
  for (const Option& option : command.options) names.emplace_back(option.name);
  for (const Option& option : global_options()) names.emplace_back(option.name);
  return names;
}

}  // namespace

std::vector<std::string> complete(const std::vector<std::string>& words) {
  if (words.empty()) return {};
  const std::string& current = words.back();
  std::vector<std::string> before(words.begin(), words.end() - 1);
  Globals globals;
  std::erase_if(before, [](const std::string& word) { return word == "-q" || word == "-v" || word == "--yes" || word == "-y"; });
  for (std::size_t i = 0; i + 1 < before.size(); ++i) {
    if (before[i] == "--socket") globals.socket = before[i + 1];
  }
  while (before.size() >= 2 && (before[0] == "--socket" || before[0] == "-o" || before[0] == "--output")) before.erase(before.begin(), before.begin() + 2);
  std::vector<std::string> candidates;
  const Command* command = before.size() >= 2 ? find_spelling(before[0] + " " + before[1]) : nullptr;
  if (command == nullptr && !before.empty() && !is_noun(before[0])) command = find_spelling(before[0]);
  if (before.empty()) candidates = all_first_words();
  else if (before[0] == "help") candidates = topics_for(before);
  else if (command == nullptr) candidates = before.size() == 1 && is_noun(before[0]) ? verbs_of(before[0]) : std::vector<std::string>();
  else {
    const Option* asked = option_named(command->options, before.back());
    if (before.back() == "-o" || before.back() == "--output") candidates = {"json", "table"};
    else if (asked != nullptr && !asked->value.empty()) candidates = values_for(*command, *asked, globals);
    else if (current.starts_with("-")) candidates = option_names(*command);
    else candidates = operands_for(*command, before, globals);
  }
  keep_matching(candidates, current);
  return candidates;
}

}  // namespace mcv::cli
