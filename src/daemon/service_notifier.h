// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <string>

#include "cluster/host/clock.h"

namespace mcv {

/// What systemd is told (Type=notify). Does nothing where no systemd asked for it.
class ServiceNotifier {
 public:
  void ready(const std::string& status) const;
  /// One line for `systemctl status`.
  void status(const std::string& text) const;
  void stopping() const;
  /// Asks for more time: the unit's TimeoutStartSec or TimeoutStopSec begins anew with this much.
  void extend_timeout(std::chrono::seconds more) const;

  /// Zero when the unit has no watchdog.
  std::chrono::microseconds watchdog_interval() const;
  /// Spawn it on the loop: answers the watchdog as long as the loop turns, and ends only by cancellation (at once where
  /// there is no watchdog). A loop that hangs gets the daemon restarted; guests are services of their own and live on.
  boost::asio::awaitable<void> feed_watchdog(host::Clock* clock) const;
};

}  // namespace mcv
