// SPDX-License-Identifier: Apache-2.0
#include "engine/sim_clock.h"

namespace mcv::sim {

boost::asio::awaitable<void> SimClock::sleep_for(host::Duration duration) {
  auto start = [this, duration](Reply<bool> reply) { scheduler_.after(owner_, duration, [reply]() { reply(true); }); };
  std::function<void(Reply<bool>)> begin = std::move(start);
  co_await await_reply<bool>(scheduler_, owner_, std::move(begin));
}

}  // namespace mcv::sim
