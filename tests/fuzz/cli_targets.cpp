// SPDX-License-Identifier: Apache-2.0
// What is typed, and what mcvd's answers may hold before they reach a terminal.
#include "cli/arguments.h"
#include "cli/render/text.h"
#include "targets.h"

namespace mcv::fuzz {
namespace {

/// Words apart by newlines.
void command_line(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty() && words.size() < 64) {
    const std::size_t end = text.find('\n');
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  const auto typed = cli::parse_arguments(words);
  if (!typed.ok()) must(!typed.error().message().empty(), "a refusal has a reason");
}

void numbers(std::string_view text) {
  static_cast<void>(cli::parse_seconds("--since", text));
  const auto count = cli::parse_count("--cpus", text, 256);
  if (count.ok()) must(*count >= 1 && *count <= 256, "a count is within its bounds");
  static_cast<void>(cli::parse_address(text));
}

void terminal_text(std::string_view text) {
  const std::string shown = cli::printable(text);
  for (const char byte : shown) must(static_cast<unsigned char>(byte) >= 0x20 && byte != 0x7F, "nothing that steers a terminal gets through");
}

}  // namespace

std::vector<Target> cli_targets() { return {{"command-line", command_line, {}}, {"numbers", numbers, {}}, {"terminal-text", terminal_text, {}}}; }

}  // namespace mcv::fuzz
