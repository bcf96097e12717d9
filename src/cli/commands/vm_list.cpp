// SPDX-License-Identifier: Apache-2.0
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

Result<int> run_vm_list(Session& session, const Arguments&) {
  // The whole of it is for programs: what the table shows is a tenth of that.
  MCV_TRY(const Json answer, session.get("/v1/vms", {}, session.json() ? "" : "view=brief"));
  bool partial = false;
  Table table({"VM", "STATE", "NODE", "CPUS", "MEMORY", "DISKS", "NETWORKS", "NOTES"});
  for (const Json& vm : list_at(answer, "vms")) {
    const std::string state = text_at(vm, "state");
    partial = partial || state == "unknown";
    if (session.json()) continue;
    if (session.globals().quiet) session.out() << text_at(vm, "name") << '\n';
    else
      table.add({text_at(vm, "name"), Cell(state, tone_of(state)), or_dash(text_at(vm, "owner")), std::to_string(number_at(vm, "cpus")), size_text(number_at(vm, "memory")),
                 disks_of(vm), networks_of(vm), notes_of(vm)});
  }
  if (session.json()) session.print(answer);
  else if (!table.empty()) session.out() << table.to_text(session.terminal().width, session.terminal().colour);
  else if (!session.globals().quiet) session.out() << "No VMs. Make one: hvctl vm create NAME\n";
  return partial ? exit_partial : 0;
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
