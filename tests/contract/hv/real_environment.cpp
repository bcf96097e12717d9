// SPDX-License-Identifier: Apache-2.0
// A lab node, as root: run-in-node.sh prepares it and sets the MCV_NODE_* variables.
#include <boost/asio/steady_timer.hpp>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <memory>
#include <unistd.h>

#include "daemon/host/blocking_pool.h"
#include "daemon/host/real_clock.h"
#include "daemon/host/real_files.h"
#include "daemon/host/real_processes.h"
#include "daemon/host/real_unix_sockets.h"
#include "environment.h"

namespace mcv::hv {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

std::string variable(const char* name, const char* fallback) {
  const char* value = std::getenv(name);
  return value == nullptr ? fallback : value;
}

class RealEnvironment : public Environment {
 public:
  explicit RealEnvironment(std::string cloud_hypervisor)
      : cloud_hypervisor_(std::move(cloud_hypervisor)),
        pool_(loop_.get_executor(), 2),
        clock_(loop_.get_executor()),
        files_(pool_),
        processes_(loop_.get_executor()),
        sockets_(loop_.get_executor()) {}

  asio::io_context& loop() override { return loop_; }
  GuestServices services() override { return GuestServices(loop_.get_executor(), clock_, processes_, files_, sockets_); }
  GuestConfig config() override {
    GuestConfig config;
    config.cloud_hypervisor = cloud_hypervisor_;
    config.run_directory = "/run/mcv-contract";
    config.log_directory = "/var/log/mcv-contract";
    return config;
  }
  VmLaunch launch(const std::string& vm, int disk, const std::string& more) override {
    VmLaunch launch;
    launch.name = VmName::trusted(vm);
    launch.uuid = fmt::format("00000000-0000-4000-8000-00000000000{}", disk);
    launch.cpus = 1;
    launch.memory = Bytes::mib(128);
    launch.disks = {{this->disk(disk), disk_serial(VolumeName::trusted(vm + "-0"))}};
    launch.nics = {{fmt::format("mcvt{}", disk), fmt::format("52:54:00:00:00:0{}", disk)}};
    launch.boot.kernel = variable("MCV_NODE_KERNEL", "/usr/share/mcv-lab/guest/vmlinux");
    launch.boot.initramfs = variable("MCV_NODE_INITRAMFS", "/usr/share/mcv-lab/guest/initramfs");
    launch.boot.cmdline = fmt::format("console=ttyS0 loglevel=1 noxsave panic=-1 mcv.vm={} {}", vm, more);
    return launch;
  }
  bool drive(std::function<bool()> done, host::Duration at_most) override {
    const host::Instant deadline = clock_.now() + at_most;
    const auto work = asio::make_work_guard(loop_);
    while (!done()) {
      if (clock_.now() >= deadline) return false;
      loop_.restart();
      loop_.run_one_for(100ms);
    }
    return true;
  }
  void murder(const std::string& vm) override {
    host::Command command;
    command.argv = {"systemctl", "kill", "--kill-whom=all", "--signal=SIGKILL", "mcv-vm-" + vm + ".service"};
    const Result<host::ProcessResult> done = run(processes_.run(command));
    if (!done.ok()) std::abort();
  }
  bool disk_is_open(int disk) override {
    host::Command command;
    command.argv = {"fuser", "--silent", this->disk(disk)};
    return run(processes_.run(command))->exit_code == 0;
  }
  std::optional<std::uint64_t> records(int disk) override {
    host::Command command;
    command.argv = {variable("MCV_NODE_RECORDS", "/usr/share/mcv-lab/guest/records"), this->disk(disk)};
    const auto done = run(processes_.run(command));
    if (!done.ok() || !done->ok()) return std::nullopt;
    return parse_json(done->out)->at("consecutive").get<std::uint64_t>();
  }

 private:
  static std::string disk(int number) { return variable(number == 0 ? "MCV_NODE_DISK0" : "MCV_NODE_DISK1", "/dev/vg0/hvcontract0"); }

  std::string cloud_hypervisor_;
  asio::io_context loop_;
  host::BlockingPool pool_;
  host::RealClock clock_;
  host::RealFiles files_;
  host::RealProcesses processes_;
  host::RealUnixSockets sockets_;
};

}  // namespace

std::unique_ptr<Environment> make_environment(const std::string& hypervisor, std::string& reason) {
  if (std::getenv("MCV_NODE_DISK0") == nullptr || ::geteuid() != 0) {
    reason = "this is not a prepared lab node; see tests/contract/hv/run-in-node.sh";
    return nullptr;
  }
  const std::string cloud_hypervisor = variable("MCV_CLOUD_HYPERVISOR", "/usr/bin/cloud-hypervisor");
  if (hypervisor == "cloud-hypervisor" && ::access(cloud_hypervisor.c_str(), X_OK) != 0) {
    reason = "no cloud-hypervisor binary at " + cloud_hypervisor + "; set MCV_CLOUD_HYPERVISOR";
    return nullptr;
  }
  return std::make_unique<RealEnvironment>(cloud_hypervisor);
}

}  // namespace mcv::hv
