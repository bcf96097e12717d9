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

Result<int> run_vm_update(Session& session, const Arguments& arguments) {
  MCV_TRY(const Json body, changed_vm_body(arguments));
  const auto submit = [&](const std::string& name) { return session.submit("PATCH", "/v1/vms/{name}", {name}, body); };
  return session.each(arguments.names(), Completes::vm, submit, [](const std::string& name) { return fmt::format("VM {} is changed. CPUs, memory and boot files apply at its next start.", name); });
}

}  // namespace

Command vm_update() {
  return {.name = "vm update",
          .summary = "change VMs",
          .details = "Only what is named changes. A VM without kernel and firmware boots from its first disk, in QEMU.",
          .operands = {.name = "VM", .min = 1, .max = any_number, .completes = Completes::vm},
          .options = {{.name = "--cpus", .value = "N", .help = "virtual CPUs"},
                      {.name = "--memory", .value = "SIZE", .help = "such as 2G"},
                      {.name = "--autostart", .value = "on|off", .help = "start it when its node boots"},
                      {.name = "--delete-protection", .value = "on|off", .help = "refuse to delete it"},
                      {.name = "--lock", .value = "REASON", .help = "refuse every change and action but unlocking"},
                      {.name = "--unlock", .help = "remove the lock"},
                      {.name = "--kernel", .value = "PATH", .help = "boot this kernel directly; '' for none", .completes = Completes::file, .may_be_empty = true},
                      {.name = "--initramfs", .value = "PATH", .help = "with this initramfs, or ''", .completes = Completes::file, .may_be_empty = true},
                      {.name = "--cmdline", .value = "TEXT", .help = "and this kernel command line, or ''", .may_be_empty = true},
                      {.name = "--firmware", .value = "PATH", .help = "boot from disk with this firmware; '' for none", .completes = Completes::file, .may_be_empty = true}},
          .routes = {{"PATCH", "/v1/vms/{name}"}},
          .examples = {"hvctl vm update vm1 --memory 2G", "hvctl vm update vm1 --kernel '' --initramfs '' --cmdline ''", "hvctl vm update vm1 --lock 'disk check until Monday'"},
          .run = run_vm_update};
}

}  // namespace mcv::cli::commands
