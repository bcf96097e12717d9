// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>

#include "cluster/host/clock.h"

namespace mcv::host {

class RealClock : public Clock {
 public:
  explicit RealClock(boost::asio::any_io_executor loop);
  Instant now() const override;
  std::int64_t wall_seconds() const override;
  boost::asio::awaitable<void> sleep_for(Duration duration) override;

 private:
  boost::asio::any_io_executor loop_;
};

}  // namespace mcv::host
