// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <memory>

#include "cluster/host/peer_network.h"
#include "daemon/host/peer_tls.h"

namespace mcv::host {

/// A connection to the machine that proved to hold the pinned key; nothing was sent on it yet. `peer_unreachable` within
/// `limit` or five seconds, whichever is shorter, `peer_key_mismatch` when another key was shown.
boost::asio::awaitable<Result<std::unique_ptr<TlsTransport>>> dial(boost::asio::any_io_executor loop, std::shared_ptr<boost::asio::ssl::context> context,
                                                                   PeerEndpoint peer, std::chrono::milliseconds limit);

}  // namespace mcv::host
