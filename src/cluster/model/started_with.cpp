// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/started_with.h"

namespace mcv {

Json StartedWith::to_json() const {
  return {{"cpus", cpus}, {"memory", memory.count()}, {"kernel", boot.kernel}, {"initramfs", boot.initramfs}, {"cmdline", boot.cmdline}, {"firmware", boot.firmware}};
}

Result<StartedWith> StartedWith::from_json(const Json& json) {
  Fields fields(json, "started with");
  StartedWith started;
  started.cpus = fields.required<std::uint32_t>("cpus");
  started.memory = Bytes(fields.required<std::uint64_t>("memory"));
  started.boot.kernel = fields.required<std::string>("kernel");
  started.boot.initramfs = fields.required<std::string>("initramfs");
  started.boot.cmdline = fields.required<std::string>("cmdline");
  started.boot.firmware = fields.required<std::string>("firmware");
  MCV_CHECK(fields.finish_lenient());
  return started;
}

std::vector<PendingChange> pending_until_restart(const VmRecord& configured, const StartedWith& running) {
  const StartedWith wanted{configured.cpus, configured.memory, configured.boot};
  const Json now = running.to_json();
  const Json then = wanted.to_json();
  std::vector<PendingChange> pending;
  for (const char* name : {"cpus", "memory", "kernel", "initramfs", "cmdline", "firmware"}) {
    if (now.at(name) != then.at(name)) pending.push_back({name, now.at(name), then.at(name)});
  }
  return pending;
}

}  // namespace mcv
