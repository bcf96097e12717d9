// SPDX-License-Identifier: Apache-2.0
// The guests' serial consoles: attached as long as a VMM lives, logged, and shown to any number of viewers.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "cluster/core/names.h"
#include "cluster/core/result.h"
#include "cluster/host/clock.h"
#include "cluster/host/files.h"
#include "cluster/host/processes.h"
#include "cluster/host/streams.h"

namespace mcv::hv {

struct ConsoleLimits {
  std::size_t ring_bytes = 512 * 1024;          ///< kept in memory per VM for replay
  std::size_t viewer_bytes = 256 * 1024;        ///< a viewer that is further behind loses the oldest, with a notice
  std::size_t input_bytes = 64 * 1024;          ///< typed and not yet taken by the guest
  std::size_t log_bytes = 1024 * 1024;          ///< <vm>.log is moved to <vm>.log.1 at this size; one older one is kept
  std::size_t spool_bytes = 256 * 1024;         ///< the VMM's own spool is emptied at this size while attached
  std::chrono::milliseconds reconnect{200};
};

/// Where a VM's console comes from.
struct ConsoleSource {
  std::string socket;
  std::optional<std::string> spool;  ///< Hypervisor::console_spool
};

struct Console;  // one VM's console, shared by the hub and its viewers

/// One viewer. Destroying it detaches it. Loop thread only; may outlive the hub.
class ConsoleViewer {
 public:
  ConsoleViewer(std::shared_ptr<Console> console, std::uint64_t id);
  ~ConsoleViewer();
  ConsoleViewer(const ConsoleViewer&) = delete;
  ConsoleViewer& operator=(const ConsoleViewer&) = delete;

  /// First the replay, then what the guest prints, at least one byte at a time; an empty text when the VMM has ended and
  /// everything was delivered. Cancellable.
  boost::asio::awaitable<std::string> next();
  /// Keys for the guest. `busy` when the guest does not read and the buffer is full, `guest_stopped` without a VMM.
  Status send(std::string bytes);

 private:
  std::shared_ptr<Console> console_;
  std::uint64_t id_;
};

class ConsoleHub {
 public:
  ConsoleHub(boost::asio::any_io_executor executor, host::Clock& clock, host::Files& files, host::Processes& processes,
             host::UnixSockets& sockets, std::string log_directory, std::string state_directory, ConsoleLimits limits = {});
  ~ConsoleHub();

  /// Attaches and returns when connected (bounded; `daemon_unreachable` when the socket never answered: it is still tried
  /// in the background). Reconnects by itself while open. `fresh` is for a new VMM, which spooled nothing yet; otherwise the
  /// ring is filled from the log and from what the VMM spooled meanwhile.
  boost::asio::awaitable<Status> open(VmName vm, ConsoleSource source, bool fresh);
  /// For a VMM that ended while no daemon was there to read it: ring and log get what it spooled. Before `close`.
  boost::asio::awaitable<void> recover(VmName vm, ConsoleSource source);
  /// Takes what is still in the socket, then `last_note` (see `note`), then detaches; viewers and log get all of that, and
  /// viewers then their end. The ring stays for viewers that come later, so that the last words of a crashed guest can be
  /// read.
  boost::asio::awaitable<void> close(VmName vm, std::string last_note = {});
  /// Forgets ring and spool position. The log goes to `deleted/<vm>.log`: a VM that gets the name later, and whoever may see that one,
  /// would be shown it after a restart of the daemon.
  boost::asio::awaitable<void> forget(VmName vm);
  /// Closes all, logs flushed. Before the hub is destroyed.
  boost::asio::awaitable<void> close_all();

  /// `replay_bytes` of the ring first. A VM that never ran here gives an empty replay and, when its VMM starts, its output.
  std::unique_ptr<ConsoleViewer> attach(const VmName& vm, std::size_t replay_bytes);
  /// A line in the console's own stream, for viewers and log: "[mcv: guest powered off]".
  void note(const VmName& vm, const std::string& text);
  std::string log_path(const VmName& vm) const;

 private:
  std::shared_ptr<Console> console_of(const VmName& vm);
  boost::asio::awaitable<void> stop(std::shared_ptr<Console> console, std::string last_note);
  boost::asio::awaitable<Status> make_directories();

  boost::asio::any_io_executor executor_;
  host::Clock& clock_;
  host::Files& files_;
  host::Processes& processes_;
  host::UnixSockets& sockets_;
  std::string log_directory_;
  std::string state_directory_;
  ConsoleLimits limits_;
  std::map<VmName, std::shared_ptr<Console>> consoles_;
};

}  // namespace mcv::hv
