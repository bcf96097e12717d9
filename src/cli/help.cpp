// SPDX-License-Identifier: Apache-2.0
#include "cli/help.h"

#include <algorithm>
#include <fmt/format.h>

#include "cli/arguments.h"
#include "cli/command_table.h"
#include "cli/render/text.h"

namespace mcv::cli {
namespace {

constexpr std::size_t help_column = 30;
constexpr std::size_t narrow_column = 6;  ///< where there is no room for two columns

std::string term_of(const Option& option) {
  std::string text = option.also.empty() || option.also.size() > 2 ? "" : fmt::format("{}, ", option.also);
  text += option.name;
  return option.value.empty() ? text : fmt::format("{} {}", text, option.value);
}

void add_entry(std::string& text, const std::string& term, std::string_view words, std::size_t width) {
  const std::size_t column = width < 2 * help_column ? narrow_column : help_column;
  std::string lead = "  " + term;
  if (lead.size() + 2 > column) {
    text += lead + "\n";
    lead.clear();
  }
  for (const std::string& line : wrapped(words, width - column)) {
    text += lead + std::string(column - lead.size(), ' ') + line + "\n";
    lead.clear();
  }
}

void add_paragraphs(std::string& text, std::string_view words, std::size_t width) {
  while (!words.empty()) {
    const std::size_t end = words.find("\n\n");
    for (const std::string& line : wrapped(words.substr(0, end), width)) text += line + "\n";
    text += "\n";
    if (end == std::string_view::npos) break;
    words.remove_prefix(end + 2);
  }
}

std::string overview(std::string_view noun, std::size_t width) {
  std::string text = noun.empty() ? "hvctl - two servers, one highly available virtual machine cluster\n\nUsage: hvctl COMMAND [names] [options]\n\n" : fmt::format("Usage: hvctl {} VERB [names] [options]\n\n", noun);
  std::string group;
  for (const Command& command : command_table()) {
    const std::string first(first_word_of(command));
    if (!noun.empty() && first != noun) continue;
    if (noun.empty() && first != group && !group.empty()) text += "\n";
    group = first;
    add_entry(text, std::string(command.name), command.summary, width);
  }
  if (noun.empty()) {
    text += "\nOptions of every command:\n";
    for (const Option& option : global_options()) add_entry(text, term_of(option), option.help, width);
    text += "\nMore: hvctl COMMAND --help, man hvctl, man mcv-errors\n";
  } else {
    text += fmt::format("\nMore: hvctl {} VERB --help, man hvctl-{}\n", noun, noun);
  }
  return text;
}

std::string command_help(const Command& command, std::size_t width) {
  std::string text = fmt::format("Usage: {}\n\n", usage_of(command));
  std::string summary = fmt::format("{}.", command.summary);
  summary.front() = static_cast<char>(summary.front() - 'a' + 'A');
  add_paragraphs(text, summary, width);
  add_paragraphs(text, command.details, width);
  if (!command.options.empty()) {
    text += "Options:\n";
    for (const Option& option : command.options) add_entry(text, term_of(option), std::string(option.help) + (option.repeatable ? " (may be repeated)" : ""), width);
    text += "\n";
  }
  if (!command.also.empty()) {
    text += "Also accepted:";
    for (const std::string_view spelling : command.also) text += fmt::format("{} hvctl {}", spelling == command.also.front() ? "" : ",", spelling);
    text += "\n\n";
  }
  text += command.examples.size() > 1 ? "Examples:\n" : "Example:\n";
  for (const std::string_view example : command.examples) text += fmt::format("  {}\n", example);
  text += fmt::format("\nOptions of every command: hvctl --help. Manual: man hvctl-{}\n", first_word_of(command));
  return text;
}

}  // namespace

std::string help_text(std::string_view topic, std::size_t width) {
  if (width == 0 || width > 100) width = 100;
  const Command* command = find_spelling(topic);
  if (command != nullptr && !is_noun(topic)) return command_help(*command, width);
  return overview(topic, width);
}

}  // namespace mcv::cli
