// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<Json> new_vm_body(const Arguments& arguments) {
  MCV_TRY(const std::uint32_t cpus, parse_count("--cpus", arguments.value("--cpus", "1"), 256));
  MCV_TRY(const Bytes memory, parse_size("--memory", arguments.value("--memory", "512M")));
  const std::string storage_type = arguments.value("--storage-type", "drbd");
  MCV_CHECK(check_one_of("--storage-type", storage_type, {"drbd", "local"}));
  const std::string hypervisor = arguments.value("--hypervisor", "auto");
  MCV_CHECK(check_one_of("--hypervisor", hypervisor, {"auto", "cloud-hypervisor", "qemu"}));
  Json disks = Json::array();
  for (const std::string& text : arguments.values("--disk-size")) {
    MCV_TRY(const Bytes size, parse_size("--disk-size", text));
    disks.push_back({{"size", size.count()}});
  }
  const Json boot = {{"kernel", absolute_path(arguments.value("--kernel"))},
                     {"initramfs", absolute_path(arguments.value("--initramfs"))},
                     {"cmdline", arguments.value("--cmdline")},
                     {"firmware", absolute_path(arguments.value("--firmware"))}};
  Json body = {{"cpus", cpus},     {"memory", memory.count()}, {"disks", disks},  {"storage_type", storage_type}, {"networks", arguments.values("--network")},
               {"boot", boot}, {"hypervisor", hypervisor}, {"autostart", arguments.has("--autostart")}};
  if (arguments.has("--storage")) body["pool"] = arguments.value("--storage");
  if (arguments.has("--node")) body["node"] = arguments.value("--node");
  return body;
}

Result<int> run_vm_create(Session& session, const Arguments& arguments) {
  MCV_TRY(Json body, new_vm_body(arguments));
  const auto submit = [&](const std::string& name) {
    body["name"] = name;
    return session.submit("POST", "/v1/vms", {}, body);
  };
  // A missing object here is a network, pool or node, not the VM.
  return session.each(arguments.names(), Completes::nothing, submit, [](const std::string& name) { return fmt::format("VM {} is created. Start it: hvctl vm start {}", name, name); });
}

}  // namespace

Command vm_create() {
  return {.name = "vm create",
          .summary = "make a VM and its disks",
          .details = "Disks are replicated to the other node unless --storage-type local is given. Files named by --kernel, --initramfs and --firmware must hold the "
                     "same bytes on both nodes. Several names make several equal VMs.",
          .operands = {.name = "NAME", .min = 1, .max = any_number},
          .options = {{.name = "--cpus", .value = "N", .help = "virtual CPUs, 1 unless given"},
                      {.name = "--memory", .value = "SIZE", .help = "such as 2G; 512M unless given"},
                      {.name = "--disk-size", .value = "SIZE", .help = "a disk of this size", .repeatable = true},
                      {.name = "--storage-type", .value = "drbd|local", .help = "drbd is replicated, and the default"},
                      {.name = "--storage", .value = "POOL", .help = "the pool; needed when there are several", .completes = Completes::pool},
                      {.name = "--network", .value = "NETWORK", .help = "a network card in this network", .repeatable = true, .completes = Completes::network},
                      {.name = "--kernel", .value = "PATH", .help = "boot this kernel directly", .completes = Completes::file},
                      {.name = "--initramfs", .value = "PATH", .help = "with this initramfs", .completes = Completes::file},
                      {.name = "--cmdline", .value = "TEXT", .help = "and this kernel command line"},
                      {.name = "--firmware", .value = "PATH", .help = "boot from disk with this firmware", .completes = Completes::file},
                      {.name = "--hypervisor", .value = "auto|cloud-hypervisor|qemu", .help = "what runs it; auto unless given"},
                      {.name = "--node", .value = "NODE", .help = "the node that runs it, this one unless given", .completes = Completes::node},
                      {.name = "--autostart", .help = "start it when its node boots"}},
          .also = {"create"},
          .routes = {{"POST", "/v1/vms"}},
          .examples = {"hvctl vm create vm1 --cpus 1 --memory 128M --disk-size 256M --storage-type drbd --network lan --kernel /srv/vmlinuz --initramfs /srv/initrd.img"},
          .run = run_vm_create};
}

}  // namespace mcv::cli::commands
