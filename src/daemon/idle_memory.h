// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>

#include "cluster/host/clock.h"

namespace mcv {

/// Spawn it on the loop: what a burst of requests needed is given back to the system within half a minute. glibc's free() gives back
/// the end of the heap only, and of what a list of a thousand VMs took most is not there. Takes about a millisecond of the loop; ends
/// only by cancellation.
boost::asio::awaitable<void> give_back_memory(host::Clock* clock);

}  // namespace mcv
