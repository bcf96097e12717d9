// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/render/confirm.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_storage_delete(Session& session, const Arguments& arguments) {
  for (const std::string& name : arguments.names()) {
    MCV_CHECK(confirm_typed(session, fmt::format("This removes the storage pool {} from every node.", name), name));
  }
  const auto submit = [&](const std::string& name) { return session.submit("DELETE", "/v1/storage/{name}", {name}); };
  return session.each(arguments.names(), Completes::pool, submit, [](const std::string& name) { return fmt::format("Storage pool {} is gone.", name); });
}

}  // namespace

Command storage_delete() {
  return {.name = "storage delete",
          .summary = "remove storage pools that hold no disks",
          .operands = {.name = "NAME", .min = 1, .max = any_number, .completes = Completes::pool},
          .also = {"storage rm"},
          .routes = {{"DELETE", "/v1/storage/{name}"}},
          .examples = {"hvctl storage delete fast"},
          .run = run_storage_delete};
}

}  // namespace mcv::cli::commands
