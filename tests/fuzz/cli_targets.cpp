// SPDX-License-Identifier: Apache-2.0
// What is typed, and what mcvd's answers may hold before they reach a terminal.
#include <algorithm>

#include "cli/arguments.h"
#include "cli/client.h"
#include "cli/commands/ages.h"
#include "cli/commands/views.h"
#include "cli/join/remote_connect_string.h"
#include "cli/render/progress.h"
#include "cli/render/text.h"
#include "cli/suggest.h"
#include "cluster/core/problem.h"
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
  const auto age = cli::commands::parse_age("--since", text);
  if (age.ok()) must(*age >= 3600, "an age is an hour at least");
  const std::string near = cli::nearest(text, {"vm1", "vm2", "storage"});
  must(near.empty() || near == "vm1" || near == "vm2" || near == "storage", "only what is there is suggested");
}

void terminal_text(std::string_view text) {
  const std::string shown = cli::printable(text);
  for (const char byte : shown) must(static_cast<unsigned char>(byte) >= 0x20 && byte != 0x7F, "nothing that steers a terminal gets through");
}

void must_be_printable(const std::string& shown) {
  for (const char byte : shown) must(static_cast<unsigned char>(byte) >= 0x20 && byte != 0x7F, "nothing that steers a terminal gets through");
}

/// What mcvd answers hvctl, each document by every reader: only text goes to the terminal.
void api_answers(std::string_view text) {
  const auto json = parse_json(text);
  if (!json.ok()) return;
  const Error error = cli::error_of_reply(*json, 500);
  must(parse_json(canonical(to_client_problem(error))).ok(), "a problem can be told as JSON");
  for (const std::string& line : cli::step_lines(Json(), *json, false, false)) must_be_printable(line);
  const std::string bar = cli::bar_line(*json, 60, std::chrono::seconds(10), 1.0);
  must_be_printable(bar);
  must(cli::width_of(bar) <= 60, "a bar is within its line");
  must_be_printable(cli::commands::verdict_cell(*json).text);
  must_be_printable(cli::commands::verified_cell(*json).text);
  must_be_printable(cli::commands::status_text(*json));
  must_be_printable(cli::commands::hold_words(*json));
  must_be_printable(cli::commands::joined(*json));
  must_be_printable(cli::commands::since_text(*json));
}

/// What the login shell of a node to be added prints; the first byte is its exit code.
void remote_answers(std::string_view text) {
  if (text.empty()) return;
  cli::RemoteResult result;
  result.exit_code = static_cast<unsigned char>(text.front());
  text.remove_prefix(1);
  result.out = text.substr(0, text.size() / 2);
  result.err = text.substr(text.size() / 2);
  for (const cli::RemoteResult& one : {result, cli::RemoteResult{0, std::string(text), ""}, cli::RemoteResult{1, "", std::string(text)}}) {
    static_cast<void>(cli::sudo_asks(cli::Privilege::sudo, one));
    const auto connect_string = cli::connect_string_of(cli::Privilege::sudo, "10.0.0.2", one);
    if (connect_string.ok()) must_be_printable(*connect_string);
  }
}

}  // namespace

std::vector<Target> cli_targets() { return {{"command-line", command_line, {}}, {"numbers", numbers, {}}, {"terminal-text", terminal_text, {}}, {"api-answers", api_answers, {}}, {"remote-answers", remote_answers, {}}}; }

}  // namespace mcv::fuzz
