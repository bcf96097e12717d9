// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Error refuse_pool(std::string message) { return Error(ErrorCode::bad_request, std::move(message)).with_safe("nothing was asked of mcvd").with_next("give --vg VG [--thin], or --dir PATH"); }

Status read_node_groups(const Arguments& arguments, Json& body) {
  for (const std::string& pair : arguments.values("--node-vg")) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == pair.size()) return refuse_pool(fmt::format("'{}' is not NODE=VG", pair));
    body["per_node_vg"][pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return success();
}

Result<int> run_storage_create(Session& session, const Arguments& arguments) {
  const bool group = arguments.has("--vg");
  if (group == arguments.has("--dir")) return refuse_pool("a pool lies in a volume group or in a directory");
  if (!group && (arguments.has("--thin") || arguments.has("--size") || arguments.has("--node-vg"))) return refuse_pool("--thin, --size and --node-vg belong to --vg");
  Json body = {{"name", arguments.name()}};
  if (group) {
    body["vg"] = arguments.value("--vg");
    body["thin"] = arguments.has("--thin");
  } else {
    body["dir"] = absolute_path(arguments.value("--dir"));
  }
  if (arguments.has("--size")) {
    MCV_TRY(const Bytes size, parse_size("--size", arguments.value("--size")));
    body["size"] = size.count();
  }
  MCV_CHECK(read_node_groups(arguments, body));
  MCV_TRY(const Outcome outcome, session.change("POST", "/v1/storage", {}, body));
  return session.finish(outcome, fmt::format("Storage pool {} is ready.", arguments.name()));
}

}  // namespace

Command storage_create() {
  return {.name = "storage create",
          .summary = "make a storage pool on every node",
          .details = "A thin pool is made in the volume group (use --size to leave room for others; most of the free space otherwise). Without --thin, disks are "
                     "ordinary logical volumes. A directory holds local disks only.",
          .operands = {.name = "NAME", .min = 1, .max = 1},
          .options = {{.name = "--vg", .value = "VG", .help = "the LVM volume group"},
                      {.name = "--thin", .help = "a thin pool in it"},
                      {.name = "--dir", .value = "PATH", .help = "a directory instead", .completes = Completes::file},
                      {.name = "--size", .value = "SIZE", .help = "of the thin pool, such as 100G"},
                      {.name = "--node-vg", .value = "NODE=VG", .help = "the volume group of a node where it is called otherwise", .repeatable = true}},
          .routes = {{"POST", "/v1/storage"}},
          .examples = {"hvctl storage create fast --vg vg0 --thin", "hvctl storage create fast --vg vg0 --node-vg B=data --thin", "hvctl storage create files --dir /srv/vm"},
          .run = run_storage_create};
}

}  // namespace mcv::cli::commands
