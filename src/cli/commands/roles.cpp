// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/roles.h"

#include <fmt/format.h>

#include "cli/commands/views.h"
#include "cli/render/text.h"

namespace mcv::cli::commands {

std::string roles_text(const Json& roles) {
  std::string text;
  for (const Json& held : roles) {
    const std::string vm = text_at(held, "vm");
    const std::string through = text_at(held, "through");
    text += fmt::format("{}{}{}{}", text.empty() ? "" : ", ", printable(text_at(held, "role")), vm.empty() ? "" : " on " + printable(vm), through.empty() ? "" : " (" + printable(through) + ")");
  }
  return text;
}

Result<Json> grant_body(const Arguments& arguments) {
  if (arguments.has("--user") == arguments.has("--group")) {
    return Error(ErrorCode::bad_request, "name --user or --group, one of the two").with_safe("nothing was asked of mcvd").with_next("hvctl grant add --help");
  }
  MCV_CHECK(check_one_of("--role", arguments.value("--role"), {"viewer", "operator", "owner", "administrator"}));
  Json body = {{"role", arguments.value("--role")}};
  for (const char* name : {"user", "group", "vm"}) {
    const std::string option = std::string("--") + name;
    if (arguments.has(option)) body[name] = arguments.value(option);
  }
  return body;
}

std::string grant_text(const Arguments& arguments) {
  const std::string whom = arguments.has("--user") ? arguments.value("--user") : "The group " + arguments.value("--group");
  const std::string where = arguments.has("--vm") ? "on " + arguments.value("--vm") : "everywhere";
  return fmt::format("{} has the role {} {}", whom, arguments.value("--role"), where);
}

std::vector<Option> grant_options() {
  return {{.name = "--role", .value = "viewer|operator|owner|administrator", .help = "what it may do: hvctl explain permission --help", .required = true},
          {.name = "--user", .value = "USER", .help = "whom", .completes = Completes::user},
          {.name = "--group", .value = "GROUP", .help = "or every member of a group", .completes = Completes::group},
          {.name = "--vm", .value = "VM", .help = "for this VM alone; everywhere when not given", .completes = Completes::vm}};
}

}  // namespace mcv::cli::commands
