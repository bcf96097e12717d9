// SPDX-License-Identifier: Apache-2.0
#include "cli/complete.h"

#include <algorithm>
#include <iostream>

#include "cli/arguments.h"
#include "cli/command_table.h"
#include "cli/session.h"

namespace mcv::cli {
namespace {

const Option* option_named(const std::vector<Option>& options, const std::string& word) {
  const auto found = std::find_if(options.begin(), options.end(), [&word](const Option& option) { return option.name == word || (!option.also.empty() && option.also == word); });
  return found == options.end() ? nullptr : &*found;
}

bool is_valued_option(const std::string& word) { return word.starts_with("--") && word.find('=') != std::string::npos; }

/// "--node=B" as two words, however the shell gave it.
void add_divided(std::vector<std::string>& words, const std::string& word) {
  if (word == "=") return;
  if (!is_valued_option(word)) return words.push_back(word);
  const std::size_t equals = word.find('=');
  words.push_back(word.substr(0, equals));
  words.push_back(word.substr(equals + 1));
}

/// What the words before the one that is typed say.
struct Read {
  std::string noun;                      ///< of a command that is not complete yet; "help"
  const Command* command = nullptr;
  const Option* asked = nullptr;         ///< whose value comes next
  std::vector<std::string> operands;     ///< or the words after "help"
  std::vector<const Option*> given;
  bool is_lost = false;                  ///< there is no such command
  Globals globals;
};

class Reader {
 public:
  Read read(const std::vector<std::string>& words) {
    for (const std::string& word : words) take(word);
    return std::move(read_);
  }

 private:
  void take(const std::string& word) {
    if (read_.asked != nullptr) {
      if (read_.asked->name == "--socket") read_.globals.socket = word;
      read_.asked = nullptr;
    } else if (word.starts_with("-") && take_option(word)) {
      return;
    } else if (read_.command != nullptr || read_.noun == "help") {
      read_.operands.push_back(word);
    } else {
      take_command(word);
    }
  }

  bool take_option(const std::string& word) {
    const Option* option = read_.command == nullptr ? nullptr : option_named(read_.command->options, word);
    if (option == nullptr) option = option_named(global_options(), word);
    if (option == nullptr) return read_.noun.empty();  // "cluster --add-node" is a command
    read_.given.push_back(option);
    if (!option->value.empty()) read_.asked = option;
    return true;
  }

  void take_command(const std::string& word) {
    const bool first = read_.noun.empty();
    if (first && (word == "help" || is_noun(word))) {
      read_.noun = word;
      return;
    }
    read_.command = find_spelling(first ? word : read_.noun + " " + word);
    read_.is_lost = read_.command == nullptr;
  }

  Read read_;
};

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

/// `command` is any one where none was typed yet.
std::vector<std::string> objects(const Read& read, Completes kind) {
  const Command& command = read.command == nullptr ? command_table().front() : *read.command;
  return Session(read.globals, Terminal{}, command, std::cout, std::cerr).names_of(kind);
}

Completion values_for(const Read& read) {
  Completion completion{choices_of(read.asked->value), read.asked->completes == Completes::file};
  for (std::string& name : objects(read, read.asked->completes)) completion.candidates.push_back(std::move(name));
  return completion;
}

/// What was typed already is not offered again: no command takes a name twice.
std::vector<std::string> operands_for(const Read& read) {
  const Operands& operands = read.command->operands;
  if (read.operands.size() >= operands.max) return {};
  std::vector<std::string> names = objects(read, operands.kind_at(read.operands.size()));
  std::erase_if(names, [&read](const std::string& name) { return std::find(read.operands.begin(), read.operands.end(), name) != read.operands.end(); });
  return names;
}

std::vector<std::string> topics_for(const Read& read) {
  if (read.operands.empty()) return all_first_words();
  return read.operands.size() == 1 && is_noun(read.operands[0]) ? verbs_of(read.operands[0]) : std::vector<std::string>();
}

std::vector<std::string> option_names(const Read& read) {
  std::vector<std::string> names;
  const auto add = [&](const std::vector<Option>& options) {
    for (const Option& option : options) {
      const bool is_done = !option.repeatable && std::find(read.given.begin(), read.given.end(), &option) != read.given.end();
      if (!is_done) names.emplace_back(option.name);
    }
  };
  if (read.command != nullptr) add(read.command->options);
  add(global_options());
  return names;
}

Completion candidates_for(const Read& read, const std::string& current) {
  if (read.asked != nullptr) return values_for(read);
  if (read.is_lost) return {};
  if (current.starts_with("-")) return {option_names(read)};
  if (read.command != nullptr) return {operands_for(read)};
  if (read.noun == "help") return {topics_for(read)};
  if (!read.noun.empty()) return {verbs_of(read.noun)};
  std::vector<std::string> words = all_first_words();
  words.emplace_back("help");
  return {std::move(words)};
}

void keep_matching(std::vector<std::string>& candidates, const std::string& prefix) {
  std::erase_if(candidates, [&prefix](const std::string& candidate) { return !candidate.starts_with(prefix); });
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
}

}  // namespace

Completion complete(std::vector<std::string> words) {
  if (words.empty()) return {};
  std::string current = std::move(words.back());
  words.pop_back();
  if (current == "=") current.clear();
  std::string lead;  // of a word that zsh did not divide: its candidates begin with it
  if (is_valued_option(current)) {
    const std::size_t equals = current.find('=');
    lead = current.substr(0, equals + 1);
    words.push_back(current.substr(0, equals));
    current.erase(0, equals + 1);
  }
  std::vector<std::string> before;
  for (const std::string& word : words) add_divided(before, word);
  Completion completion = candidates_for(Reader().read(before), current);
  keep_matching(completion.candidates, current);
  for (std::string& candidate : completion.candidates) candidate.insert(0, lead);
  return completion;
}

}  // namespace mcv::cli
