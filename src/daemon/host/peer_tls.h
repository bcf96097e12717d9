// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>

#include "daemon/host/node_key.h"
#include "daemon/host/stream_transport.h"

namespace mcv::host {

using TlsStream = boost::asio::ssl::stream<boost::asio::ip::tcp::socket>;
using TlsTransport = StreamTransport<TlsStream>;

/// TLS 1.3 only, a certificate from both sides, no resumption. Every certificate passes the handshake: who it is
/// says the key's fingerprint, which the caller compares before anything else happens on the connection.
Result<std::shared_ptr<boost::asio::ssl::context>> make_tls_context(const NodeKey& key);

/// The key the other side proved to hold; empty before the handshake.
KeyFingerprint peer_fingerprint(TlsStream& stream);

/// A vanished peer ends the connection after about ten seconds, also while nothing is being sent.
void set_dead_peer_detection(boost::asio::ip::tcp::socket& socket);

/// For a connection whose reader may pause for as long as he likes: a full window is not a vanished peer. One that vanishes
/// while bytes are under way is then noticed only after the kernel's own retries, a quarter of an hour.
void let_the_reader_pause(boost::asio::ip::tcp::socket& socket);

/// "10.0.0.1" or "2001:db8::1"; a name is refused, so nothing is ever looked up.
Result<boost::asio::ip::tcp::endpoint> literal_endpoint(const std::string& address, std::uint16_t port);

}  // namespace mcv::host
