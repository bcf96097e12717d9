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

std::string term_of(const Option& option) {
  std::string text = option.also.empty() || option.also.size() > 2 ? "" : fmt::format("{}, ", option.also);
  text += option.name;
  return option.value.empty() ? text : fmt::format("{} {}", text, option.value);
}

void add_entry(std::string& text, const std::string& term, std::string_view words, std::size_t width) {
  std::string lead = "  " + term;
  if (lead.size() + 2 > help_column) {
    text += lead + "\n";
    lead.clear();
  }
  for (const std::string& line : wrapped(words, std::max<std::size_t>(width, help_column + 30) - help_column)) {
    text += lead + std::string(help_column - lead.size(), ' ') + line + "\n";
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
    const std::string first(command.name.substr(0, command.name.find(' ')));
    if (!noun.empty() && first != noun) continue;
    if (noun.empty() && first != group && !group.empty()) text += "\n";
    group = first;
    add_entry(text, std::string(command.name), command.summary, width);
  }
  if (noun.empty()) {
    text += "\nOptions of every command:\n";
    for (const Option& option : global_options()) add_entry(text, term_of(option), option.help, width);
    text += "\nMore: hvctl COMMAND --help, man hvctl\n";
  } else {
    text += fmt::format("\nMore: hvctl {} VERB --help\n", noun);
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
  text += "\nOptions of every command: hvctl --help\n";
  return text;
}

/// roff reads '-' as a hyphen, a leading dot or quote as a request, and a backslash as an escape.
std::string roff(std::string_view words) {
  std::string text;
  for (const char c : words) {
    if (c == '-') text += "\\-";
    else if (c == '\\') text += "\\e";
    else if ((c == '.' || c == '\'') && (text.empty() || text.back() == '\n')) text += fmt::format("\\&{}", c);
    else text += c;
  }
  return text;
}

std::string roff_paragraphs(std::string_view words) {
  std::string text;
  while (!words.empty()) {
    const std::size_t end = words.find("\n\n");
    text += roff(words.substr(0, end)) + "\n";
    if (end == std::string_view::npos) break;
    text += ".PP\n";
    words.remove_prefix(end + 2);
  }
  return text;
}

void add_manual_options(std::string& text, const std::vector<Option>& options) {
  for (const Option& option : options) {
    text += ".TP\n\\fB" + roff(option.name) + "\\fR";
    if (option.also.size() == 2) text += ", \\fB" + roff(option.also) + "\\fR";
    if (!option.value.empty()) text += " \\fI" + roff(option.value) + "\\fR";
    text += "\n" + roff(option.help) + (option.repeatable ? " (may be repeated)" : "") + "\n";
  }
}

void add_manual_command(std::string& text, const Command& command) {
  text += fmt::format(".SS \"{}\"\n\\fB{}\\fR\n.PP\n", roff(command.name), roff(usage_of(command)));
  std::string summary = fmt::format("{}.", command.summary);
  summary.front() = static_cast<char>(summary.front() - 'a' + 'A');
  text += roff(summary) + "\n";
  if (!command.details.empty()) text += ".PP\n" + roff_paragraphs(command.details);
  add_manual_options(text, command.options);
  if (!command.also.empty()) {
    text += ".PP\nAlso accepted:";
    for (const std::string_view spelling : command.also) text += fmt::format("{} \\fBhvctl {}\\fR", spelling == command.also.front() ? "" : ",", roff(spelling));
    text += "\n";
  }
  text += ".PP\n.nf\n";
  for (const std::string_view example : command.examples) text += "    " + roff(example) + "\n";
  text += ".fi\n";
}

constexpr const char* exit_codes[][2] = {
    {"0", "done"},
    {"1", "a crash of hvctl itself"},
    {"2", "the request makes no sense as written"},
    {"3", "not allowed, or the login failed"},
    {"4", "the named thing does not exist"},
    {"5", "something is in the way; it may pass by itself"},
    {"6", "something must change first; the message says what"},
    {"7", "a part did not answer; trying again may help"},
    {"8", "the time was up"},
    {"9", "it may or may not have happened; the message says how to find out"},
    {"10", "a tool of the system refused"},
    {"11", "only a person can decide, or a confirmation is missing"},
    {"12", "a defect of mcv or of the machine"},
    {"20", "verify: a difference was found"},
    {"21", "verify: something could not be compared, and no difference was found"},
    {"22", "the answer is there, but a node did not take part in it"},
    {"130", "interrupted; the operation goes on"},
};

}  // namespace

std::string help_text(std::string_view topic, std::size_t width) {
  if (width == 0 || width > 100) width = 100;
  const Command* command = find_spelling(topic);
  if (command != nullptr && !is_noun(topic)) return command_help(*command, width);
  return overview(topic, width);
}

std::string manual_page() {
  std::string text = ".\\\" SPDX-License-Identifier: Apache-2.0\n.\\\" Made from the command table: see CONTRIBUTING.md, \"Add a command\".\n";
  text += ".TH HVCTL 1 \"\" \"mcv\" \"mcv manual\"\n.SH NAME\nhvctl \\- control a two\\-node cluster of virtual machines\n.SH SYNOPSIS\n\\fBhvctl\\fR \\fICOMMAND\\fR [\\fInames\\fR] [\\fIoptions\\fR]\n";
  text += ".SH DESCRIPTION\n" + roff_paragraphs("hvctl asks mcvd(8) on this machine, over its socket. It gives the same answers on either node.\n\n"
          "Long work is an operation: hvctl follows it to its end, and Ctrl-C leaves it running and says how to watch or cancel it.\n\n"
          "Sizes are whole numbers with K, M, G or T, in steps of 1024. Tables fit the terminal; -o json prints the documents of the API. Colours are used on terminals only, and "
          "never when NO_COLOR is set.");
  text += ".SH OPTIONS\nThese are accepted by every command, anywhere on the line.\n";
  add_manual_options(text, global_options());
  text += ".SH COMMANDS\n";
  for (const Command& command : command_table()) add_manual_command(text, command);
  text += ".SH EXIT STATUS\n";
  for (const auto& row : exit_codes) text += fmt::format(".TP\n\\fB{}\\fR\n{}\n", row[0], roff(row[1]));
  text += ".SH FILES\n.TP\n\\fI/run/mcv/mcvd.sock\\fR\nmcvd's socket\n.SH SEE ALSO\n.BR mcvd (8),\n.BR mcvd.toml (5)\n";
  return text;
}

}  // namespace mcv::cli
