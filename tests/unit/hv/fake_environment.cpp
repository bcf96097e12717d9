// SPDX-License-Identifier: Apache-2.0
// The guest suite on modelled VMMs: the drivers, the manager and the console hub are the production ones.
#include <fmt/format.h>

#include "environment.h"
#include "fake_node.h"

namespace mcv::hv {
namespace {

class FakeEnvironment : public Environment {
 public:
  boost::asio::io_context& loop() override { return node_.loop; }
  GuestServices services() override { return GuestServices(node_.loop.get_executor(), node_.clock, node_.processes, node_.files, node_.sockets); }
  GuestConfig config() override { return GuestConfig(); }
  VmLaunch launch(const std::string& vm, int disk, const std::string& more) override {
    VmLaunch launch;
    launch.name = VmName::trusted(vm);
    launch.uuid = "00000000-0000-4000-8000-000000000001";
    launch.memory = Bytes::mib(128);
    launch.disks = {{this->disk(disk), vm + "-0"}};
    launch.boot.kernel = "/boot/vmlinux";
    launch.boot.cmdline = fmt::format("console=ttyS0 mcv.vm={} {}", vm, more);
    return launch;
  }
  bool drive(std::function<bool()> done, host::Duration at_most) override { return node_.drive(done, at_most); }
  void murder(const std::string& vm) override { node_.find(vm)->terminate(true); }
  bool guest_is_off(const std::string& vm) override { return node_.find(vm)->is_off(); }
  bool disk_is_open(int disk) override {
    for (const auto& [vm, vmm] : node_.vmms) {
      if (vmm->alive && vmm->disk == this->disk(disk)) return true;
    }
    return false;
  }
  std::optional<std::uint64_t> records(int disk) override {
    const fake::Disk& seen = node_.disks[this->disk(disk)];
    if (seen.mixed) return std::nullopt;
    return seen.records;
  }

 private:
  static std::string disk(int number) { return fmt::format("/dev/vg0/d{}", number); }
  fake::Node node_;
};

}  // namespace

std::unique_ptr<Environment> make_environment(const std::string&, std::string&) { return std::make_unique<FakeEnvironment>(); }

}  // namespace mcv::hv
