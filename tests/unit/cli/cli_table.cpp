// SPDX-License-Identifier: Apache-2.0
// The command table for tests and generated files. `ninja manual` makes docs/man with it.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <string>

#include "cli/command_table.h"
#include "cli/manual.h"
#include "cluster/core/error.h"

namespace mcv::cli {
namespace {

constexpr const char* usage =
    "usage: cli_table WHAT\n"
    "  manual DIRECTORY   writes the pages of hvctl there, and removes those that are no longer made\n"
    "  manual             hvctl.1 alone, on standard output\n"
    "  routes             every route that a command asks, a line each\n"
    "  options            a spelling of a command a line, with the options it takes\n"
    "  examples           every example, a line each\n"
    "  errors             code, kind and exit status, a line each\n";

/// Pages that other commits made and this table does not are removed: nobody would remember them.
int write_manual(const std::filesystem::path& directory) {
  std::set<std::string> made;
  for (const ManualPage& page : manual_pages()) {
    made.insert(page.file);
    std::ofstream file(directory / page.file, std::ios::binary | std::ios::trunc);
    file << page.text << std::flush;
    if (!file) {
      std::cerr << "cli_table: " << (directory / page.file).string() << " could not be written\n";
      return 1;
    }
  }
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("hvctl-") && !made.contains(name)) std::filesystem::remove(entry.path());
  }
  return 0;
}

void print_options() {
  for (const Command& command : command_table()) {
    std::vector<std::string_view> spellings{command.name};
    spellings.insert(spellings.end(), command.also.begin(), command.also.end());
    for (const std::string_view spelling : spellings) {
      std::cout << spelling << '\t' << command.operands.option() << ' ';
      for (const Option& option : command.options) std::cout << option.name << ' ' << option.also << ' ';
      std::cout << '\n';
    }
  }
}

void print_routes() {
  std::set<std::string> routes;
  const auto add = [&routes](const std::vector<Route>& list) {
    for (const Route& route : list) routes.insert(std::string(route.method) + " " + std::string(route.path));
  };
  add(shared_routes());
  for (const Command& command : command_table()) add(command.routes);
  for (const std::string& route : routes) std::cout << route << '\n';
}

int print(const std::string& what) {
  if (what == "manual") std::cout << manual_pages().front().text;
  else if (what == "options") print_options();
  else if (what == "routes") print_routes();
  else if (what == "examples") {
    for (const Command& command : command_table()) {
      for (const std::string_view example : command.examples) std::cout << example << '\n';
    }
  } else if (what == "errors") {
    for (const ErrorCode code : all_error_codes()) std::cout << to_text(code) << '\t' << to_text(kind_of(code)) << '\t' << exit_code_of(kind_of(code)) << '\n';
  } else {
    std::cerr << usage;
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace mcv::cli

int main(int count, char** values) {
  const std::vector<std::string> words(values + 1, values + count);
  if (words.size() == 2 && words[0] == "manual") return mcv::cli::write_manual(words[1]);
  return mcv::cli::print(words.size() == 1 ? words[0] : "");
}
