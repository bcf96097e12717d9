// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/session.h"
#include "cluster/core/units.h"

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
    MCV_TRY(const Bytes memory, Bytes::parse(arguments.value("--memory")));
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

Result<int> run_vm_update(Session& session, const Arguments& arguments) {
  if (arguments.has("--storage-type")) return change_type(session, arguments);
  MCV_TRY(const Json body, changed_vm_body(arguments));
  const auto submit = [&](const std::string& name) { return session.submit("PATCH", "/v1/vms/{name}", {name}, body); };
  return session.each(arguments.names(), Completes::vm, submit, [](const std::string& name) { return fmt::format("VM {} is changed. CPUs, memory and boot files apply at its next start.", name); });
}

}  // namespace

Command vm_update() {
  return {.name = "vm update",
          .summary = "change VMs",
          .details = "Only what is named changes. A VM without kernel and firmware boots from its first disk, in QEMU.\n\n"
                     "--storage-type changes the disks of a stopped VM where they are, and goes with no other option. To drbd: no byte is moved here; the other node gets an empty copy, which "
                     "is filled from here while the VM may run again. To local: only while both copies are equal; the one on the other node is deleted.",
          .operands = {.name = "VM", .min = 1, .max = any_number, .completes = Completes::vm},
          .options = {{.name = "--cpus", .value = "N", .help = "virtual CPUs"},
                      {.name = "--memory", .value = "SIZE", .help = "such as 2G"},
                      {.name = "--autostart", .value = "on|off", .help = "start it when its node boots"},
                      {.name = "--delete-protection", .value = "on|off", .help = "refuse to delete it"},
                      {.name = "--lock", .value = "REASON", .help = "refuse every change and action but unlocking"},
                      {.name = "--unlock", .help = "remove the lock"},
                      {.name = "--storage-type", .value = "drbd|local", .help = "make its disks replicated, or local to its node"},
                      {.name = "--kernel", .value = "PATH", .help = "boot this kernel directly; '' for none", .completes = Completes::file, .may_be_empty = true},
                      {.name = "--initramfs", .value = "PATH", .help = "with this initramfs, or ''", .completes = Completes::file, .may_be_empty = true},
                      {.name = "--cmdline", .value = "TEXT", .help = "and this kernel command line, or ''", .may_be_empty = true},
                      {.name = "--firmware", .value = "PATH", .help = "boot from disk with this firmware; '' for none", .completes = Completes::file, .may_be_empty = true}},
          .routes = {{"PATCH", "/v1/vms/{name}"}, {"POST", "/v1/vms/{name}/storage-type"}},
          .examples = {"hvctl vm update vm1 --memory 2G", "hvctl vm update vm1 --storage-type drbd", "hvctl vm update vm1 --kernel '' --initramfs '' --cmdline ''", "hvctl vm update vm1 --lock 'disk check until Monday'"},
          .run = run_vm_update};
}

}  // namespace mcv::cli::commands
