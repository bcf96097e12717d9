// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <map>

#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/render/confirm.h"
#include "cli/render/text.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Status read_switch(const Arguments& arguments, std::string_view option, const char* key, Json& body) {
  if (!arguments.has(option)) return success();
  MCV_CHECK(check_one_of(option, arguments.value(option), {"on", "off"}));
  body[key] = arguments.value(option) == "on";
  return success();
}

Result<Json> changed_vm_body(const Arguments& arguments) {
  Json body = Json::object();
  if (arguments.has("--cpus")) {
    MCV_TRY(body["cpus"], parse_count("--cpus", arguments.value("--cpus"), 256));
  }
  if (arguments.has("--memory")) {
    MCV_TRY(const Bytes memory, parse_size("--memory", arguments.value("--memory")));
    body["memory"] = memory.count();
  }
  MCV_CHECK(read_switch(arguments, "--autostart", "autostart", body));
  MCV_CHECK(read_switch(arguments, "--delete-protection", "delete_protection", body));
  if (arguments.has("--lock") && arguments.has("--unlock")) return Error(ErrorCode::bad_request, "--lock and --unlock exclude each other").with_safe("nothing was asked of mcvd");
  if (arguments.has("--lock")) body["lock"] = {{"reason", arguments.value("--lock")}};
  if (arguments.has("--unlock")) body["lock"] = nullptr;
  for (const char* key : {"kernel", "initramfs", "firmware"}) {
    const std::string option = fmt::format("--{}", key);
    if (arguments.has(option)) body["boot"][key] = absolute_path(arguments.value(option));
  }
  if (arguments.has("--cmdline")) body["boot"]["cmdline"] = arguments.value("--cmdline");
  if (body.empty()) return Error(ErrorCode::bad_request, "nothing to change was named").with_safe("nothing was asked of mcvd").with_next("hvctl vm update --help");
  return body;
}

Result<int> change_type(Session& session, const Arguments& arguments) {
  const std::string& type = arguments.value("--storage-type");
  MCV_CHECK(check_one_of("--storage-type", type, {"local", "drbd"}));
  for (const char* option : {"--cpus", "--memory", "--autostart", "--delete-protection", "--lock", "--unlock", "--kernel", "--initramfs", "--firmware", "--cmdline"}) {
    if (arguments.has(option)) return Error(ErrorCode::bad_request, "--storage-type is changed by itself").with_safe("nothing was asked of mcvd").with_next("the same command in two");
  }
  const Json body = {{"storage_type", type}};
  const auto submit = [&](const std::string& name) { return session.submit("POST", "/v1/vms/{name}/storage-type", {name}, body); };
  return session.each(arguments.names(), Completes::vm, submit, [&](const std::string& name) {
    if (type == "local") return fmt::format("The disks of {} are local to its node now.", name);
    return fmt::format("The disks of {0} are replicated; they are being copied to the other node (hvctl resync --follow {0} waits for it), and {0} may be started.", name);
  });
}

/// Whose lock it is, typed by who takes off another's; empty for one's own, and where there is none. mcvd asks the same again.
Result<std::string> confirmed_owner(Session& session, const std::string& name, const std::string& self) {
  MCV_TRY(const Json vm, session.get("/v1/vms/{name}", {name}));
  const Json& lock = object_at(vm, "lock");
  const std::string owner = text_at(lock, "by");
  if (lock.empty() || owner == self) return std::string();
  MCV_CHECK(confirm_typed(session, fmt::format("{} locked {}{}: {}. Whoever set it may still rely on it.", owner, name, since_text(lock), text_at(lock, "reason")), owner));
  return owner;
}

/// By name, for those whose lock another set.
Result<std::map<std::string, std::string>> confirmed_owners(Session& session, const std::vector<std::string>& names) {
  MCV_TRY(const Json self, session.get("/v1/whoami"));
  std::map<std::string, std::string> owners;
  for (const std::string& name : names) {
    Result<std::string> owner = confirmed_owner(session, name, text_at(self, "name"));
    // What cannot be asked for is refused by name when it is sent.
    if (!owner.ok() && owner.error().code() == ErrorCode::not_found) continue;
    if (!owner.ok()) return std::move(owner).error();
    if (!owner->empty()) owners[name] = *owner;
  }
  return owners;
}

Result<int> run_vm_update(Session& session, const Arguments& arguments) {
  if (arguments.has("--storage-type")) return change_type(session, arguments);
  MCV_TRY(const Json body, changed_vm_body(arguments));
  std::map<std::string, std::string> owners;
  if (arguments.has("--unlock")) {
    MCV_TRY(owners, confirmed_owners(session, arguments.names()));
  }
  if (arguments.has("--delete-protection") && !flag_at(body, "delete_protection")) {
    for (const std::string& name : arguments.names()) {
      if (is_asked_for(session)) {
        // Refused before anybody has to type anything.
        const Result<Json> planned = session.plan("PATCH", "/v1/vms/{name}", {name}, body);
        if (!planned.ok()) return session.with_suggestion(planned.error(), Completes::vm, name);
      }
      MCV_CHECK(confirm_typed(session, fmt::format("From then on nothing but the question of hvctl vm delete stands between {} and its deletion.", name), name));
    }
  }
  const auto submit = [&](const std::string& name) {
    Json own = body;
    if (const auto owner = owners.find(name); owner != owners.end()) own["lock_owner"] = owner->second;
    return session.submit("PATCH", "/v1/vms/{name}", {name}, own);
  };
  const bool waits = body.contains("cpus") || body.contains("memory") || body.contains("boot");
  const std::string when = waits ? " CPUs, memory and boot files apply at its next start." : "";
  return session.each(arguments.names(), Completes::vm, submit, [&when](const std::string& name) { return fmt::format("VM {} is changed.{}", name, when); });
}

}  // namespace

Command vm_update() {
  return {.name = "vm update",
          .summary = "change VMs",
          .details = "Only what is named changes, also when two change the same VM at once. A guest that runs has new CPUs, memory and boot files once it was stopped and started; until "
                     "then hvctl vm info and hvctl vm list show them as pending. A VM without kernel and firmware boots from its first disk, in QEMU.\n\n"
                     "A lock refuses to everybody, its owner too: start, stop, kill, reset, migrate, change, delete, resync, the attaching of a lost disk, the deletion of a snapshot of its "
                     "disks, and the retry of an operation. Console and verify go on, and a machine that is shut down stops its guests. Whoever set it takes it off; an administrator takes "
                     "off another's and is asked to type whose it is (--yes does not ask).\n\n"
                     "Turning delete protection off asks to type the VM's name (--yes does not ask).\n\n"
                     "--storage-type changes the disks of a stopped VM where they are, and goes with no other option. To drbd: no byte is moved here; the other node gets an empty copy, which "
                     "is filled from here while the VM may run again. To local: only while both copies are equal; the one on the other node is deleted.",
          .operands = {.name = "VM", .min = 1, .max = any_number, .completes = Completes::vm},
          .options = {{.name = "--cpus", .value = "N", .help = "virtual CPUs"},
                      {.name = "--memory", .value = "SIZE", .help = "such as 2G"},
                      {.name = "--autostart", .value = "on|off", .help = "start it when its node boots"},
                      {.name = "--delete-protection", .value = "on|off", .help = "refuse to delete it; off asks to type its name"},
                      {.name = "--lock", .value = "REASON", .help = "refuse every change and action until it is unlocked"},
                      {.name = "--unlock", .help = "take the lock off"},
                      {.name = "--storage-type", .value = "drbd|local", .help = "make its disks replicated, or local to its node"},
                      {.name = "--kernel", .value = "PATH", .help = "boot this kernel directly; '' for none", .completes = Completes::file, .may_be_empty = true},
                      {.name = "--initramfs", .value = "PATH", .help = "with this initramfs, or ''", .completes = Completes::file, .may_be_empty = true},
                      {.name = "--cmdline", .value = "TEXT", .help = "and this kernel command line, or ''", .may_be_empty = true},
                      {.name = "--firmware", .value = "PATH", .help = "boot from disk with this firmware; '' for none", .completes = Completes::file, .may_be_empty = true}},
          .routes = {{"PATCH", "/v1/vms/{name}"}, {"POST", "/v1/vms/{name}/storage-type"}, {"GET", "/v1/vms/{name}"}, {"GET", "/v1/whoami"}},
          .examples = {"hvctl vm update vm1 --memory 2G", "hvctl vm update vm1 --storage-type drbd", "hvctl vm update vm1 --kernel '' --initramfs '' --cmdline ''", "hvctl vm update vm1 --lock 'disk check until Monday'",
                       "hvctl vm update vm1 --unlock", "hvctl vm update vm1 --delete-protection off"},
          .run = run_vm_update};
}

}  // namespace mcv::cli::commands
