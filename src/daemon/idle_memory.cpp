// SPDX-License-Identifier: Apache-2.0
#include "daemon/idle_memory.h"

#include <chrono>
#include <malloc.h>

namespace mcv {

boost::asio::awaitable<void> give_back_memory(host::Clock* clock) {
  while (true) {
    co_await clock->sleep_for(std::chrono::seconds(30));
    malloc_trim(0);
  }
}

}  // namespace mcv
