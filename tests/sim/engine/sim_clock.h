// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cluster/host/clock.h"
#include "engine/reply.h"

namespace mcv::sim {

/// A node's clocks over the run's virtual time. Time since boot is steady; the wall clock can be stepped.
class SimClock final : public host::Clock {
 public:
  SimClock(Scheduler& scheduler, Owner owner, Time booted, std::int64_t wall_offset_seconds)
      : scheduler_(scheduler), owner_(owner), booted_(booted), wall_offset_seconds_(wall_offset_seconds) {}

  host::Instant now() const override { return host::Instant{scheduler_.now() - booted_}; }
  std::int64_t wall_seconds() const override {
    return 1'700'000'000 + wall_offset_seconds_ + std::chrono::duration_cast<std::chrono::seconds>(scheduler_.now()).count();
  }
  boost::asio::awaitable<void> sleep_for(host::Duration duration) override;
  void step_wall(std::int64_t seconds) { wall_offset_seconds_ += seconds; }

 private:
  Scheduler& scheduler_;
  Owner owner_;
  Time booted_;
  std::int64_t wall_offset_seconds_;
};

}  // namespace mcv::sim
