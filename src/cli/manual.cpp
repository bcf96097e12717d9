// SPDX-License-Identifier: Apache-2.0
#include "cli/manual.h"

#include <algorithm>
#include <fmt/format.h>
#include <string_view>

#include "cli/arguments.h"
#include "cli/command_table.h"

namespace mcv::cli {
namespace {

/// roff reads '-' as a hyphen, some marks as typographic ones (which no shell takes when they are pasted), a leading dot as a
/// request, and a backslash as an escape.
std::string roff(std::string_view words) {
  std::string text;
  for (const char c : words) {
    switch (c) {
      case '-': text += "\\-"; break;
      case '\\': text += "\\e"; break;
      case '\'': text += "\\(aq"; break;
      case '`': text += "\\(ga"; break;
      case '^': text += "\\(ha"; break;
      case '~': text += "\\(ti"; break;
      case '.': text += text.empty() || text.back() == '\n' ? "\\&." : "."; break;
      default: text += c;
    }
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

std::string heading(std::string_view page, std::string_view summary) {
  std::string title(page);
  std::transform(title.begin(), title.end(), title.begin(), [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return fmt::format(".\\\" SPDX-License-Identifier: Apache-2.0\n.\\\" Made from the command table: see CONTRIBUTING.md, \"Add a command\".\n"
                     ".TH {} 1 \"\" \"mcv\" \"mcv manual\"\n.SH NAME\n{} \\- {}\n",
                     roff(title), roff(page), roff(summary));
}

std::string sentence(std::string_view summary) {
  std::string text = fmt::format("{}.", summary);
  if (text.front() >= 'a' && text.front() <= 'z') text.front() = static_cast<char>(text.front() - 'a' + 'A');
  return text;
}

std::string options_text(const std::vector<Option>& options) {
  std::string text;
  for (const Option& option : options) {
    text += ".TP\n\\fB" + roff(option.name) + "\\fR";
    if (option.also.size() == 2) text += ", \\fB" + roff(option.also) + "\\fR";
    if (!option.value.empty()) text += " \\fI" + roff(option.value) + "\\fR";
    text += "\n" + roff(option.help) + (option.repeatable ? " (may be repeated)" : "") + "\n";
  }
  return text;
}

/// What follows the heading of a command's section.
std::string command_text(const Command& command) {
  std::string text = fmt::format("\\fB{}\\fR\n.PP\n{}\n", roff(usage_of(command)), roff(sentence(command.summary)));
  if (!command.details.empty()) text += ".PP\n" + roff_paragraphs(command.details);
  text += options_text(command.options);
  if (!command.also.empty()) {
    text += ".PP\nAlso accepted:";
    for (const std::string_view other : command.also) text += fmt::format("{} \\fBhvctl {}\\fR", other == command.also.front() ? "" : ",", roff(other));
    text += "\n";
  }
  text += ".PP\n.nf\n";
  for (const std::string_view example : command.examples) text += "    " + roff(example) + "\n";
  return text + ".fi\n";
}

std::vector<std::string> page_words() {
  std::vector<std::string> words;
  for (const Command& command : command_table()) {
    const std::string_view first = first_word_of(command);
    if (std::find(words.begin(), words.end(), first) == words.end()) words.emplace_back(first);
  }
  return words;
}

std::string see_also(const std::vector<std::pair<std::string, int>>& pages) {
  std::string text = ".SH SEE ALSO\n";
  for (const auto& [page, section] : pages) text += fmt::format(".BR {} ({}){}\n", roff(page), section, page == pages.back().first ? "" : ",");
  return text;
}

std::string word_page(const std::string& word) {
  std::vector<const Command*> commands;
  for (const Command& command : command_table()) {
    if (first_word_of(command) == word) commands.push_back(&command);
  }
  const bool alone = commands.size() == 1 && commands.front()->name == word;
  const std::string page = "hvctl-" + word;
  std::string text = heading(page, alone ? std::string(commands.front()->summary) : summary_of_noun(word)) + ".SH SYNOPSIS\n.nf\n";
  for (const Command* command : commands) text += fmt::format("\\fB{}\\fR\n", roff(usage_of(*command)));
  text += ".fi\n";
  if (alone) {
    text += ".SH DESCRIPTION\n" + command_text(*commands.front());
  } else {
    text += ".SH COMMANDS\n";
    for (const Command* command : commands) text += fmt::format(".SS \"{}\"\n{}", roff(command->name), command_text(*command));
  }
  text += ".SH OPTIONS OF EVERY COMMAND\n\\fB\\-\\-output\\fR, \\fB\\-\\-quiet\\fR, \\fB\\-\\-dry\\-run\\fR, \\fB\\-\\-no\\-wait\\fR, \\fB\\-\\-yes\\fR and others: see\n.BR hvctl (1).\n"
          ".SH EXIT STATUS\nAs in\n.BR hvctl (1);\nwhat each error means and what helps is in\n.BR mcv\\-errors (7).\n";
  return text + see_also({{"hvctl", 1}, {"mcv-errors", 7}, {"mcvd", 8}});
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

std::string commands_text() {
  std::string text = ".SH COMMANDS\nEach first word has a page of its own.\n";
  for (const std::string& word : page_words()) {
    text += fmt::format(".SS \"hvctl\\-{}(1)\"\n", roff(word));
    for (const Command& command : command_table()) {
      if (first_word_of(command) == word) text += fmt::format(".TP\n\\fB{}\\fR\n{}\n", roff(usage_of(command)), roff(command.summary));
    }
  }
  return text;
}

std::string overview_page() {
  std::string text = heading("hvctl", "control a two-node cluster of virtual machines");
  text += ".SH SYNOPSIS\n\\fBhvctl\\fR \\fICOMMAND\\fR [\\fInames\\fR] [\\fIoptions\\fR]\n.br\n\\fBhvctl help\\fR [\\fICOMMAND\\fR]\n.SH DESCRIPTION\n";
  text += roff_paragraphs("hvctl asks mcvd(8) on this machine, over its socket. It gives the same answers on either node.\n\n"
                          "Long work is an operation: hvctl follows it to its end, and Ctrl-C leaves it running and says how to watch or cancel it.\n\n"
                          "A command that takes several names asks for each and gives a result for each; the first failure decides the exit status. "
                          "A wrong command, option or name is answered with the nearest one there is.\n\n"
                          "A VM may be named with --id too, as in 'hvctl vm start --id vm1', and an option's value may follow an equals sign.\n\n"
                          "Sizes are whole numbers with K, M, G or T, in steps of 1024.");
  text += ".SH OPTIONS\nThese are accepted by every command, anywhere on the line.\n" + options_text(global_options());
  text += commands_text();
  text += ".SH OUTPUT\n" + roff_paragraphs("Tables are for people and fit the terminal: they may change. -o json prints the documents of the API as they are; "
                                           "/usr/share/mcv/openapi.json describes each field, and fields are added but neither renamed nor given another meaning. "
                                           "An error is then an RFC 9457 document on standard error, with its code in the member 'code'. With several names the document is "
                                           "{\"results\": [...]}, in the order of the names, each with 'name' and what became of it.\n\n"
                                           "-q prints the names alone in lists, and of long work nothing but a failure. Progress goes to standard error.");
  text += ".SH EXIT STATUS\n";
  for (const auto& row : exit_codes) text += fmt::format(".TP\n\\fB{}\\fR\n{}\n", row[0], roff(row[1]));
  text += ".PP\nThe codes of errors, in brackets after the message, are explained in\n.BR mcv\\-errors (7).\n"
          ".SH ENVIRONMENT\n.TP\n\\fBNO_COLOR\\fR\nno colours when set to anything; there are none either where the output is no terminal or \\fBTERM\\fR is dumb\n"
          ".TP\n\\fBSSH_AUTH_SOCK\\fR\n";
  text += roff("the ssh agent that 'hvctl cluster add-node' asks for a key");
  text += "\n"
          ".SH FILES\n.TP\n\\fI/run/mcv/mcvd.sock\\fR\nmcvd\\(aqs socket\n.TP\n\\fI/usr/share/mcv/openapi.json\\fR\nthe API, and so what \\-o json prints\n"
          ".TP\n\\fI/usr/share/doc/mcv/\\fR\nquick start, operations, upgrade notes\n";
  std::vector<std::pair<std::string, int>> pages;
  for (const std::string& word : page_words()) pages.emplace_back("hvctl-" + word, 1);
  pages.insert(pages.end(), {{"mcv-errors", 7}, {"mcvd", 8}, {"mcvd.toml", 5}});
  return text + see_also(pages);
}

}  // namespace

std::vector<ManualPage> manual_pages() {
  std::vector<ManualPage> pages{{"hvctl.1", overview_page()}};
  for (const std::string& word : page_words()) pages.push_back({fmt::format("hvctl-{}.1", word), word_page(word)});
  return pages;
}

}  // namespace mcv::cli
