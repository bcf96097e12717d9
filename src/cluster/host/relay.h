// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>

#include "cluster/host/streams.h"

namespace mcv::host {

/// Copies both ways until either stream ends or fails, then gives up the other direction. Each direction holds one piece,
/// until the other side took it: a reader that stops makes its source stop. The caller closes the streams.
boost::asio::awaitable<void> relay(ByteStream& one, ByteStream& other);

}  // namespace mcv::host
