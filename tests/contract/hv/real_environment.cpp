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
#include "hv/cloud_hypervisor/protocol.h"
#include "hv/qemu/command_line.h"
#include "hv/qemu/qmp_connection.h"

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

  /// Nothing of an earlier case stays: consoles are searched for what guests say about their disks.
  void clean() {
    tool({"rm", "-rf", config().log_directory});
    for (const int number : {0, 1}) tool({"dd", "if=/dev/zero", "of=" + disk(number), "bs=1M", "count=16", "oflag=direct", "status=none"});
  }

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
    const host::Instant deadline = clock_.now() + std::chrono::duration_cast<host::Duration>(at_most * slow_);
    const auto work = asio::make_work_guard(loop_);
    while (!done()) {
      if (clock_.now() >= deadline) return false;
      loop_.restart();
      loop_.run_one_for(100ms);
    }
    return true;
  }
  void murder(const std::string& vm) override { tool({"systemctl", "kill", "--kill-whom=all", "--signal=SIGKILL", "mcv-vm-" + vm + ".service"}); }
  bool guest_is_off(const std::string& vm) override {
    const std::string directory = config().run_directory + "/vm/" + vm;
    const Result<std::string> events = run(files_.read(ch::socket_paths(directory).events));
    if (events.ok()) return ch::summarize(ch::parse_events(*events)).powered_off;
    const auto qmp = run(qemu::QmpConnection::open(loop_.get_executor(), clock_, sockets_, qemu::socket_paths(directory).debug_monitor, 10s,
                                                   [](const qemu::QmpEvent&) {}, [] {}));
    if (!qmp.ok()) return false;
    const Result<Json> status = run((*qmp)->execute("query-status", Json::object(), 10s));
    (*qmp)->close();
    return status.ok() && qemu::phase_of_status(status->at("status").get<std::string>()) == VmmPhase::powered_off;
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
  void tool(host::Argv argv) {
    host::Command command;
    command.argv = std::move(argv);
    const Result<host::ProcessResult> done = run(processes_.run(command));
    if (!done.ok() || !done->ok()) fmt::print(stderr, "{}: {}\n", host::to_shell_line(command.argv), done.ok() ? done->err : done.error().to_text());
  }
  static std::string disk(int number) { return variable(number == 0 ? "MCV_NODE_DISK0" : "MCV_NODE_DISK1", "/dev/vg0/hvcontract0"); }

  std::string cloud_hypervisor_;
  double slow_ = std::strtod(variable("LAB_SLOW", "1").c_str(), nullptr);
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
  auto environment = std::make_unique<RealEnvironment>(cloud_hypervisor);
  environment->clean();
  return environment;
}

std::unique_ptr<Environment> join_environment() { return std::make_unique<RealEnvironment>(variable("MCV_CLOUD_HYPERVISOR", "/usr/bin/cloud-hypervisor")); }

}  // namespace mcv::hv
