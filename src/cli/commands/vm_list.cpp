// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/render/table.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

std::string disks_of(const Json& vm) {
  std::string text;
  for (const Json& volume : list_at(vm, "volumes")) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", size_text(number_at(volume, "size")), text_at(volume, "kind"));
  }
  return or_dash(text);
}

std::string networks_of(const Json& vm) {
  std::string text;
  for (const Json& nic : list_at(vm, "nics")) text += (text.empty() ? "" : ", ") + text_at(nic, "network");
  return or_dash(text);
}

/// What a person would want to know before touching the VM.
Cell notes_of(const Json& vm) {
  std::vector<std::string> notes;
  if (const Json& lock = object_at(vm, "lock"); !lock.empty()) notes.push_back(fmt::format("locked by {}: {}", text_at(lock, "by"), text_at(lock, "reason")));
  std::string pending;
  for (const Json& change : list_at(vm, "pending")) pending += (pending.empty() ? "" : ", ") + text_at(change, "name");
  if (!pending.empty()) notes.push_back("pending until restart: " + pending);
  for (const Json& volume : list_at(vm, "volumes")) {
    if (flag_at(volume, "io_held")) notes.push_back(fmt::format("writes held: {} ({})", text_at(volume, "name"), hold_words(volume)));
    else if (text_at(object_at(volume, "verdict"), "kind") == "mismatch") notes.push_back("verify failed: " + text_at(volume, "name"));
    else if (text_at(object_at(volume, "verdict"), "kind") == "suspect") notes.push_back("verify found differences and did not end: " + text_at(volume, "name"));
    else if (list_at(volume, "alone_since").size() > 1) notes.push_back("two copies: " + text_at(volume, "name"));
    else if (volume.contains("older_copy_on")) notes.push_back(fmt::format("not redundant: {} (older on {})", text_at(volume, "name"), text_at(volume, "older_copy_on")));
    else if (text_at(volume, "kind") == "drbd" && volume.contains("redundant") && !flag_at(volume, "redundant")) notes.push_back("not redundant: " + text_at(volume, "name"));
  }
  if (text_at(vm, "last_exit") == "crashed") notes.emplace_back("crashed");
  std::string text;
  for (const std::string& note : notes) text += (text.empty() ? "" : "; ") + note;
  return {text, Tone::warning};
}

/// Cell by cell: a braced list of them would be copied.
std::vector<Cell> row_of(const Json& vm) {
  std::vector<Cell> row;
  row.reserve(8);
  row.emplace_back(text_at(vm, "name"));
  const std::string state = text_at(vm, "state");
  row.emplace_back(state, tone_of(state));
  row.emplace_back(or_dash(text_at(vm, "owner")));
  row.emplace_back(std::to_string(number_at(vm, "cpus")));
  row.emplace_back(size_text(number_at(vm, "memory")));
  row.emplace_back(disks_of(vm));
  row.emplace_back(networks_of(vm));
  row.push_back(notes_of(vm));
  return row;
}

bool is_unknown(const Json& vm) { return text_at(vm, "state") == "unknown"; }

int exit_code(bool partial) { return partial ? exit_partial : 0; }

/// For programs, which get all there is.
Result<int> print_whole(Session& session) {
  MCV_TRY(const Json answer, session.get("/v1/vms"));
  session.print(answer);
  const Json& vms = list_at(answer, "vms");
  return exit_code(std::any_of(vms.begin(), vms.end(), is_unknown));
}

/// What a table shows is a tenth of that.
Result<int> run_vm_list(Session& session, const Arguments&) {
  if (session.json()) return print_whole(session);
  const bool quiet = session.globals().quiet;
  bool partial = false;
  std::string names;
  Table table({"VM", "STATE", "NODE", "CPUS", "MEMORY", "DISKS", "NETWORKS", "NOTES"});
  MCV_CHECK(session.list("/v1/vms", "view=brief", "vms", [&](const Json& vm) {
    partial = partial || is_unknown(vm);
    if (quiet) {
      names += text_at(vm, "name") + "\n";
      return;
    }
    table.add(row_of(vm));
  }));
  if (quiet) session.out() << names;
  else if (!table.empty()) session.out() << table.to_text(session.terminal().width, session.terminal().colour);
  else session.out() << "No VMs. Make one: hvctl vm create NAME\n";
  return exit_code(partial);
}

}  // namespace

Command vm_list() {
  return {.name = "vm list",
          .summary = "show all VMs",
          .details = "Exit code 22 when the state of a VM is unknown because its node did not answer.",
          .also = {"vm ls", "list", "ls"},
          .routes = {{"GET", "/v1/vms"}},
          .examples = {"hvctl vm list", "hvctl vm list -q", "hvctl vm ls -o json"},
          .run = run_vm_list};
}

}  // namespace mcv::cli::commands
