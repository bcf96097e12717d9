// SPDX-License-Identifier: Apache-2.0
// The node's table of VMs: which runs, in which VMM, why it ended. Facts come from the services and monitors; the run
// record (run_record.h) adds only what nobody else can remember, namely what mcv had asked for.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cluster/core/names.h"
#include "cluster/core/result.h"
#include "cluster/core/task_group.h"
#include "cluster/host/host.h"
#include "cluster/model/observation.h"
#include "hv/choose_hypervisor.h"
#include "hv/console_hub.h"
#include "hv/hypervisor.h"
#include "hv/run_record.h"

namespace mcv::hv {

/// The part of a host that guests need. Made from a host::Host by itself.
struct GuestServices {
  GuestServices(const host::Host& host)
      : executor(host.executor), clock(host.clock), processes(host.processes), files(host.files), sockets(host.sockets) {}
  GuestServices(boost::asio::any_io_executor loop, host::Clock& clock_service, host::Processes& process_service, host::Files& file_service,
                host::UnixSockets& socket_service)
      : executor(std::move(loop)), clock(clock_service), processes(process_service), files(file_service), sockets(socket_service) {}
  boost::asio::any_io_executor executor;
  host::Clock& clock;
  host::Processes& processes;
  host::Files& files;
  host::UnixSockets& sockets;
};

struct GuestConfig {
  std::string qemu = "/usr/bin/qemu-system-x86_64";
  std::string cloud_hypervisor = "/usr/bin/cloud-hypervisor";
  std::string run_directory = "/run/mcv";            ///< sockets in vm/<vm>/ (mcv-guest, 0700), run records in runs/ (root)
  std::string log_directory = "/var/log/mcv/console";
  std::string user = "mcv-guest";
  std::chrono::milliseconds button_interval{4'000};  ///< between two presses of the power button
  std::chrono::milliseconds look_interval{1'000};    ///< between two looks when the VMM reports nothing
  ConsoleLimits console;
};

/// Calls for one VM must not overlap (the operation layer locks the VM); calls for different VMs may. Loop thread only.
class GuestManager {
 public:
  /// Production: both drivers.
  GuestManager(GuestServices host, GuestConfig config);
  /// Tests and simulation: given drivers, which must outlive the manager.
  GuestManager(GuestServices host, GuestConfig config, std::vector<Hypervisor*> drivers);
  ~GuestManager();

  /// Once, before anything else: looks which VMMs are installed and takes over every VM of `known` whose service exists,
  /// with its console. A guest that ended meanwhile is classified and cleared away. A VM that could not be judged is
  /// `unknown` and tried again in the background. Services of VMs that are not known are left alone and returned, for
  /// status to show.
  boost::asio::awaitable<Result<std::vector<std::string>>> adopt_all(std::vector<VmName> known);

  /// Returns when the guest's CPUs run. Success when it runs already.
  boost::asio::awaitable<Status> start(VmLaunch launch, HypervisorKind wished);
  /// Presses the power button until the guest is off or `at_most` passed: then `guest_still_running`, the guest runs on.
  /// Returns after the VMM's processes are gone (the disk can be demoted). Success when it is not running.
  boost::asio::awaitable<Status> stop(VmName vm, host::Duration at_most);
  /// Cuts the guest's power. Returns after the VMM's processes are gone. Success when it is not running.
  boost::asio::awaitable<Status> kill(VmName vm);
  /// The reset button. `guest_stopped` when it is not running.
  boost::asio::awaitable<Status> reset(VmName vm);
  /// Drops what is remembered about a deleted VM (`guest_running` while it runs).
  boost::asio::awaitable<Status> forget(VmName vm);

  /// Returns when the VM has no VMM, whoever ended it (`timed_out` after `at_most`): the wait of a migration.
  boost::asio::awaitable<Status> wait_stopped(VmName vm, host::Duration at_most);

  VmFacts facts(const VmName& vm) const;
  std::map<std::string, VmFacts> facts() const;  ///< by VM name; every VM ever started or known here
  /// "cloud-hypervisor", "qemu": present and of a supported version, as of adopt_all or refresh_installed.
  const std::vector<std::string>& installed() const { return installed_; }
  /// Cheap when nothing changed: a VMM that is there and new enough is not asked for its version again.
  boost::asio::awaitable<void> refresh_installed();
  /// Called on the loop after a VM's facts changed. Must not throw; may not call back into the manager synchronously.
  void on_change(std::function<void(const VmName&)> callback) { on_change_ = std::move(callback); }
  ConsoleHub& console() { return console_; }
  /// Stops watching; guests keep running. Before the manager is destroyed.
  boost::asio::awaitable<void> close();

 private:
  struct Guest;

  std::shared_ptr<Guest> guest_of(const VmName& vm);
  Hypervisor* driver(const std::string& id) const;
  boost::asio::awaitable<Result<bool>> adopt(VmName vm);
  boost::asio::awaitable<Result<bool>> adopt_now(std::shared_ptr<Guest> guest);
  boost::asio::awaitable<void> adopt_until_done(VmName vm, std::shared_ptr<void> ticket);
  boost::asio::awaitable<void> watch(std::shared_ptr<Guest> guest);
  boost::asio::awaitable<std::string> describe_end(std::shared_ptr<Guest> guest, ExitReason reason, VmmPhase phase);
  boost::asio::awaitable<Status> finish(std::shared_ptr<Guest> guest, ExitReason reason, std::string why);
  boost::asio::awaitable<Status> save(std::shared_ptr<Guest> guest);
  void set_state(Guest& guest, RunState state);

  GuestServices host_;
  GuestConfig config_;
  std::vector<std::unique_ptr<Hypervisor>> owned_;
  std::vector<Hypervisor*> drivers_;
  std::vector<std::string> installed_;
  int ch_version_ = 0;  ///< of config_.cloud_hypervisor; 0 when it is not there or did not say
  ConsoleHub console_;
  TaskGroup tasks_;
  std::map<VmName, std::shared_ptr<Guest>> guests_;
  std::function<void(const VmName&)> on_change_;
};

}  // namespace mcv::hv
