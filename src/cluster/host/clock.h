// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>

namespace mcv::host {

/// Time since boot, CLOCK_BOOTTIME: does not jump and counts suspend. Every bound and every order uses this one.
using Duration = std::chrono::nanoseconds;
struct Instant {
  Duration since_boot{0};
  friend auto operator<=>(const Instant&, const Instant&) = default;
  friend Instant operator+(Instant instant, Duration d) { return {instant.since_boot + d}; }
  friend Duration operator-(Instant a, Instant b) { return a.since_boot - b.since_boot; }
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  /// Seconds since 1970, for showing to people only: no decision reads it.
  virtual std::int64_t wall_seconds() const = 0;
  /// Cancellable; returns early only by cancellation.
  virtual boost::asio::awaitable<void> sleep_for(Duration duration) = 0;
};

}  // namespace mcv::host
