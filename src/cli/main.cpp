// SPDX-License-Identifier: Apache-2.0
// Words to a command, its result to an exit code. Nothing is loaded or connected before a command asks for it.
#include <exception>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "cli/arguments.h"
#include "cli/complete.h"
#include "cli/help.h"
#include "cli/render/json.h"
#include "cli/render/problem.h"
#include "cli/session.h"
#include "cluster/core/problem.h"

namespace mcv::cli {
namespace {

bool wants_json(const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--output=json" || ((words[i] == "-o" || words[i] == "--output") && i + 1 < words.size() && words[i + 1] == "json")) return true;
  }
  return false;
}

int fail(const Error& error, bool json, const Terminal& terminal) {
  if (json) print_json(std::cerr, to_client_problem(error), terminal.error);
  else std::cerr << problem_text(error, terminal.error_width, terminal.error_colour);
  return exit_code_of(error.kind());
}

/// A full disk behind the output is a failure of what was asked for.
Error output_lost() {
  return Error(ErrorCode::io_error, "standard output could not be written").with_safe("what was asked for was done; only the words about it are lost").with_next("df -h, or another place for the output");
}

int run(const std::vector<std::string>& words) {
  if (!words.empty() && words.front() == "__complete") {
    const Completion completion = complete({words.begin() + 1, words.end()});
    for (const std::string& candidate : completion.candidates) std::cout << candidate << '\n';
    return completion.path ? exit_complete_path : 0;
  }
  const Terminal terminal = Terminal::detect();
  const Result<Invocation> parsed = parse_arguments(words);
  if (!parsed.ok()) return fail(parsed.error(), wants_json(words), terminal);
  if (parsed->globals.version || parsed->command == nullptr) {
    std::cout << (parsed->globals.version ? "hvctl " MCV_VERSION "\n" : help_text(parsed->topic, terminal.width)) << std::flush;
    return std::cout ? 0 : fail(output_lost(), false, terminal);
  }
  Session session(parsed->globals, terminal, *parsed->command, std::cout, std::cerr);
  Result<int> code = parsed->command->run(session, parsed->arguments);
  std::cout << std::flush;
  if (!code.ok()) return fail(session.with_suggestion(std::move(code).error(), parsed->arguments), session.json(), terminal);
  if (!std::cout) return fail(output_lost(), false, terminal);
  return *code;
}

}  // namespace
}  // namespace mcv::cli

int main(int count, char** values) {
  std::ios::sync_with_stdio(false);
  try {
    return mcv::cli::run(std::vector<std::string>(values + 1, values + count));
  } catch (const std::exception& defect) {
    std::cerr << "hvctl: defect: " << defect.what() << '\n';
    return 1;
  }
}
