// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/render/text.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_explain_permission(Session& session, const Arguments& arguments) {
  const std::vector<std::string>& names = arguments.names();
  std::string query = fmt::format("user={}&action={}", percent_encoded(names[0]), percent_encoded(names[1]));
  if (names.size() > 2) query += "&vm=" + percent_encoded(names[2]);
  MCV_TRY(const Json answer, session.get("/v1/explain", {}, query));
  if (session.json()) {
    session.print(answer);
    return 0;
  }
  const bool allowed = flag_at(answer, "allowed");
  session.out() << fmt::format("{}: {}.\n", paint(allowed ? Tone::good : Tone::bad, allowed ? "allowed" : "not allowed", session.terminal().colour), printable(text_at(answer, "reason")));
  const std::string next = text_at(answer, "next");
  if (!next.empty()) session.out() << fmt::format("Next: {}\n", printable(next));
  return 0;
}

}  // namespace

Command explain_permission() {
  return {.name = "explain permission",
          .summary = "say whether a user may do something, and why",
          .details = "ACTION is one of the words below, as a refusal names them; without VM it is asked for everything. Of yourself you may always ask, of others only an administrator.\n\n"
                     "A viewer has info.show, node.list, network.list, storage.list, drbd.list, operation.list, operation.show, change.show, vm.list and vm.show, and everywhere cluster.show.\n\n"
                     "An operator has vm.start, vm.stop, vm.kill, vm.reset, vm.console, vm.migrate, vm.verify, operation.cancel and operation.retry as well.\n\n"
                     "An owner has vm.update, vm.delete and vm.resync as well, and everywhere vm.create.\n\n"
                     "An administrator has vm.boot-files, vm.break-lock, vm.override-verify, network.create, network.delete, storage.create, storage.delete, drbd.enable, node.init, node.address, node.leave, "
                     "cluster.join, cluster.add-node, cluster.confirm-down, cluster.accept-copy, cluster.choose-history, cluster.update, cluster.remove-node, audit.show, access.show and access.update as "
                     "well. self.show takes no role.",
          .operands = {.name = "USER ACTION [VM]", .min = 2, .max = 3, .completes = Completes::user, .then = Completes::action, .third = Completes::vm},
          .routes = {{"GET", "/v1/explain"}},
          .examples = {"hvctl explain permission alice vm.start vm1"},
          .run = run_explain_permission};
}

}  // namespace mcv::cli::commands
