// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/commands.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_drbd_enable(Session& session, const Arguments&) {
  MCV_TRY(const Outcome outcome, session.change("POST", "/v1/drbd/enable"));
  return session.finish(outcome, "Replication is enabled. New disks are replicated with: hvctl vm create ... --storage-type drbd");
}

}  // namespace

Command drbd_enable() {
  return {.name = "drbd enable",
          .summary = "allow replicated disks",
          .details = "Checks the kernel module and the tools on both nodes, and makes the secret with which the two replicas know each other. Guest data on the "
                     "replication link is not encrypted.",
          .also = {"drbd --enable"},
          .routes = {{"POST", "/v1/drbd/enable"}},
          .examples = {"hvctl drbd enable"},
          .run = run_drbd_enable};
}

}  // namespace mcv::cli::commands
