// SPDX-License-Identifier: Apache-2.0
#include "daemon/service_notifier.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <cstdint>

namespace mcv {
namespace {

void tell(const std::string& state) {
  // Nothing depends on it being heard: a unit that misses READY=1 is ended by systemd itself.
  static_cast<void>(sd_notify(0, state.c_str()));
}

std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  return text;
}

}  // namespace

void ServiceNotifier::ready(const std::string& text) const { tell("READY=1\nSTATUS=" + one_line(text)); }
void ServiceNotifier::status(const std::string& text) const { tell("STATUS=" + one_line(text)); }
void ServiceNotifier::stopping() const { tell("STOPPING=1\nSTATUS=stopping"); }

void ServiceNotifier::extend_timeout(std::chrono::seconds more) const {
  tell(fmt::format("EXTEND_TIMEOUT_USEC={}", std::chrono::microseconds(more).count()));
}

std::chrono::microseconds ServiceNotifier::watchdog_interval() const {
  std::uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) <= 0) return std::chrono::microseconds(0);
  return std::chrono::microseconds(microseconds);
}

boost::asio::awaitable<void> ServiceNotifier::feed_watchdog(host::Clock* clock) const {
  const host::Duration pause = watchdog_interval() / 3;
  while (pause > host::Duration(0)) {
    tell("WATCHDOG=1");
    co_await clock->sleep_for(pause);
  }
}

}  // namespace mcv
