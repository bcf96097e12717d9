// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/real_clock.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <ctime>

namespace mcv::host {

namespace asio = boost::asio;

RealClock::RealClock(asio::any_io_executor loop) : loop_(std::move(loop)) {}

Instant RealClock::now() const {
  timespec time{};
  ::clock_gettime(CLOCK_BOOTTIME, &time);
  Instant instant;
  instant.since_boot = std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  return instant;
}

std::int64_t RealClock::wall_seconds() const { return static_cast<std::int64_t>(::time(nullptr)); }

// The timer counts CLOCK_MONOTONIC, which stands still in suspend: a sleep that spans one ends late, never early.
asio::awaitable<void> RealClock::sleep_for(Duration duration) {
  asio::steady_timer timer(loop_);
  timer.expires_after(duration);
  co_await timer.async_wait(asio::use_awaitable);
}

}  // namespace mcv::host
