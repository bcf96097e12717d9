// SPDX-License-Identifier: Apache-2.0
// One kind of VMM on this node. Drivers: qemu/ (QMP) and cloud_hypervisor/ (HTTP). Each VMM is a systemd service of its
// own (vmm_unit.h), so a driver object holds nothing a restart of mcvd could lose: whatever it knows it can ask again.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cluster/core/names.h"
#include "cluster/core/result.h"
#include "cluster/host/clock.h"
#include "hv/vm_launch.h"

namespace mcv::hv {

enum class VmmPhase {
  absent,       ///< no process of this VM's service exists
  created,      ///< the VMM runs, the guest was never started in it
  running,
  paused,
  powered_off,  ///< the guest turned itself off; the VMM is left over and holds the disks until `end`
  failed,       ///< the VMM is there and cannot run the guest any further (QEMU: internal-error)
  unknown,      ///< a process exists and its monitor gave no answer; never read this as stopped
};
std::string_view to_text(VmmPhase phase);

/// One look. `phase == absent` is from the service's cgroup being empty, never from a silent socket.
struct VmmLook {
  VmmPhase phase = VmmPhase::unknown;
  std::int64_t pid = 0;
  std::uint32_t resets = 0;  ///< reboots of the guest seen by this daemon; may count one reboot more than once (QEMU)
  bool panicked = false;     ///< the guest's pvpanic driver reported a panic; the VMM keeps running
};

/// `look`, `wait_change` and `end` may overlap with any other call for the same VM; `create`, `boot` and `reset` not with each
/// other. Loop thread only.
/// Errors: `hypervisor_missing`, `vmm_failed` (with the VMM's own words), `timed_out`, `guest_stopped`.
class Hypervisor {
 public:
  virtual ~Hypervisor() = default;
  /// "qemu" or "cloud-hypervisor": what VmFacts and status show.
  virtual std::string_view id() const = 0;

  /// Starts the VMM with the guest stopped before its first instruction; the console socket exists when this returns. A
  /// left-over service of this VM is cleared away first if no process of it is alive (`guest_running` otherwise).
  /// On error nothing is left running.
  virtual boost::asio::awaitable<Status> create(VmLaunch launch) = 0;
  /// Lets the guest run. Success when it runs already.
  virtual boost::asio::awaitable<Status> boot(VmName vm) = 0;

  /// Connects to a VMM that another daemon process started, by its service and its monitor socket.
  virtual boost::asio::awaitable<Result<VmmLook>> adopt(VmName vm) = 0;
  virtual boost::asio::awaitable<Result<VmmLook>> look(VmName vm) = 0;
  /// Returns when the VMM reported something or `at_most` passed, whichever is first. Cancellable. Then `look`.
  virtual boost::asio::awaitable<void> wait_change(VmName vm, host::Duration at_most) = 0;

  /// One press; a guest that is not listening yet loses it. Success says only that the VMM took it.
  virtual boost::asio::awaitable<Status> power_button(VmName vm) = 0;
  virtual boost::asio::awaitable<Status> reset(VmName vm) = 0;
  /// Ends a VMM, the guest's power cut if it still runs. `politely` lets the VMM clean up (SIGTERM, then SIGKILL after
  /// its bound); otherwise SIGKILL at once. Returns when no process of the service exists: every disk and tap is
  /// closed. Success when there was none. `timed_out` when a process does not die (I/O held by DRBD): it may still write later.
  virtual boost::asio::awaitable<Status> end(VmName vm, bool politely) = 0;

  /// How a VMM that is absent ended, with its last words; before `end`, which clears that away. Empty when nobody knows.
  virtual boost::asio::awaitable<std::string> obituary(VmName vm) = 0;

  /// The socket of the guest's first serial port.
  virtual std::string console_socket(const VmName& vm) const = 0;
  /// A file where the VMM itself keeps what the guest printed, for the time nobody was attached; none when the VMM
  /// replays by itself.
  virtual std::optional<std::string> console_spool(const VmName& vm) const = 0;
};

}  // namespace mcv::hv
