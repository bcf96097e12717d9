// SPDX-License-Identifier: Apache-2.0
// A VMM as a transient systemd service: mcv-vm-<vm>.service in mcv.slice, as an unprivileged user that may open only the
// devices of this VM. The service, not a process name, identifies the VMM; its cgroup says whether anything of it lives.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/core/names.h"
#include "cluster/core/result.h"
#include "cluster/host/clock.h"
#include "cluster/host/files.h"
#include "cluster/host/processes.h"

namespace mcv::hv {

struct UnitSpec {
  VmName vm;
  std::string user;
  host::Argv argv;                    ///< argv[0] is the VMM's absolute path
  std::vector<std::string> devices;   ///< beside /dev/kvm and /dev/net/tun
};

/// "mcv-vm-vm1.service"
std::string unit_name(const VmName& vm);
/// The VM of a unit name, empty when it is none of ours.
std::string vm_of_unit(std::string_view unit);
host::Argv systemd_run_argv(const UnitSpec& spec);

/// `systemctl show`, key=value lines.
struct UnitFacts {
  bool loaded = false;
  std::string active_state;
  std::string sub_state;
  std::string result;          ///< success, exit-code, signal, core-dump, timeout…
  std::int64_t main_pid = 0;
  int exec_main_code = 0;      ///< CLD_EXITED 1, CLD_KILLED 2, CLD_DUMPED 3
  int exec_main_status = 0;    ///< exit code, or the signal's number
  std::string invocation;      ///< names this run in the journal
};
/// "killed by signal 9", "exit code 1"; empty while the service has not ended.
std::string how_it_ended(const UnitFacts& facts);
host::Argv show_argv(const VmName& vm);
Result<UnitFacts> parse_unit_facts(std::string_view text);

/// Of a cgroup's file `cgroup.events`: whether any process is in it.
bool is_populated(std::string_view events);

/// Starts, finds and ends services. All calls idempotent.
class VmmUnits {
 public:
  VmmUnits(host::Processes& processes, host::Files& files, host::Clock& clock, std::string run_directory, std::string user);

  /// /run/mcv/vm/<vm>: sockets and spool; the VMM's user owns it, 0700.
  std::string directory(const VmName& vm) const { return run_directory_ + "/vm/" + vm.str(); }
  const std::string& user() const { return user_; }

  /// An empty directory for a new VMM. `guest_running` when a process of this VM's service is alive.
  boost::asio::awaitable<Status> prepare(VmName vm);
  /// Returns when the VMM was executed.
  boost::asio::awaitable<Status> run(UnitSpec spec);
  boost::asio::awaitable<Result<UnitFacts>> show(VmName vm);
  /// Of the VMM, for status; 0 when systemd does not say.
  boost::asio::awaitable<std::int64_t> main_pid(VmName vm);
  /// Whether any process of the service is alive, from the cgroup: true also for one that ignores SIGKILL.
  boost::asio::awaitable<Result<bool>> alive(VmName vm);
  /// See Hypervisor::end.
  boost::asio::awaitable<Status> end(VmName vm, bool politely);
  /// See Hypervisor::obituary.
  boost::asio::awaitable<std::string> obituary(VmName vm);
  /// The last lines the VMM wrote, for an error message. Empty when there are none.
  boost::asio::awaitable<std::string> last_words(VmName vm, std::chrono::milliseconds patience = std::chrono::seconds(15));

 private:
  boost::asio::awaitable<Result<bool>> dies_within(VmName vm, host::Duration bound);
  boost::asio::awaitable<void> signal(VmName vm, std::string signal, std::string whom);
  boost::asio::awaitable<Result<bool>> kill(VmName vm);
  boost::asio::awaitable<Status> clear(VmName vm, host::Duration bound);

  host::Processes& processes_;
  host::Files& files_;
  host::Clock& clock_;
  std::string run_directory_;
  std::string user_;
};

}  // namespace mcv::hv
