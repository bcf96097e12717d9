// SPDX-License-Identifier: Apache-2.0
#include "cluster/host/processes.h"

#include <algorithm>
#include <fmt/format.h>
#include <string_view>

namespace mcv::host {
namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-_./=:,@%+").find(c) != std::string_view::npos;
}

std::string quoted(const std::string& word) {
  if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain)) return word;
  std::string text = "'";
  for (const char c : word) {
    if (c == '\'') text += "'\\''";
    else text += c;
  }
  return text + "'";
}

/// The tool's last words: what it wrote to stderr, or else to stdout, cut to a readable length.
std::string last_words(const ProcessResult& result) {
  std::string text = result.err.empty() ? result.out : result.err;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  constexpr std::size_t limit = 600;
  if (text.size() > limit) text = "…" + text.substr(text.size() - limit);
  std::replace(text.begin(), text.end(), '\n', ';');
  return text.empty() ? "no output" : text;
}

}  // namespace

std::string to_shell_line(const Argv& argv) {
  std::string line;
  for (const std::string& word : argv) {
    if (!line.empty()) line += ' ';
    line += quoted(word);
  }
  return line;
}

boost::asio::awaitable<Result<std::string>> run_ok(Processes& processes, Command command) {
  const Argv argv = command.argv;
  MCV_CO_TRY(ProcessResult done, co_await processes.run(std::move(command)));
  if (done.ok()) co_return std::move(done.out);
  co_return Error(ErrorCode::command_failed, fmt::format("{}: exit {}: {}", to_shell_line(argv), done.exit_code, last_words(done)));
}

}  // namespace mcv::host
