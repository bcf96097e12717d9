// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/render/confirm.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_storage_delete(Session& session, const Arguments& arguments) {
  const std::string& name = arguments.name();
  MCV_CHECK(confirm_typed(session, fmt::format("This removes the storage pool {} from every node.", name), name));
  Result<Outcome> outcome = session.change("DELETE", "/v1/storage/{name}", {name});
  if (!outcome.ok()) return session.with_suggestion(std::move(outcome).error(), Completes::pool, name);
  return session.finish(*outcome, fmt::format("Storage pool {} is gone.", name));
}

}  // namespace

Command storage_delete() {
  return {.name = "storage delete",
          .summary = "remove a storage pool that holds no disks",
          .operands = {.name = "NAME", .min = 1, .max = 1, .completes = Completes::pool},
          .also = {"storage rm"},
          .routes = {{"DELETE", "/v1/storage/{name}"}},
          .examples = {"hvctl storage delete fast"},
          .run = run_storage_delete};
}

}  // namespace mcv::cli::commands
