// SPDX-License-Identifier: Apache-2.0
// The command table for tests and generated files: `cli_table routes`, `cli_table options` (a spelling a line, with the
// options it takes), `cli_table manual > docs/man/hvctl.1`.
#include <iostream>
#include <set>
#include <string>

#include "cli/command_table.h"
#include "cli/help.h"

int main(int count, char** values) {
  using namespace mcv::cli;
  const std::string what = count == 2 ? values[1] : "";
  if (what == "manual") {
    std::cout << manual_page();
    return 0;
  }
  if (what == "options") {
    for (const Command& command : command_table()) {
      std::vector<std::string_view> spellings{command.name};
      spellings.insert(spellings.end(), command.also.begin(), command.also.end());
      for (const std::string_view spelling : spellings) {
        std::cout << spelling << '\t';
        for (const Option& option : command.options) std::cout << option.name << ' ' << option.also << ' ';
        std::cout << '\n';
      }
    }
    return 0;
  }
  if (what != "routes") {
    std::cerr << "usage: cli_table routes|options|manual\n";
    return 2;
  }
  std::set<std::string> routes;
  const auto add = [&routes](const std::vector<Route>& list) {
    for (const Route& route : list) routes.insert(std::string(route.method) + " " + std::string(route.path));
  };
  add(shared_routes());
  for (const Command& command : command_table()) add(command.routes);
  for (const std::string& route : routes) std::cout << route << '\n';
  return 0;
}
