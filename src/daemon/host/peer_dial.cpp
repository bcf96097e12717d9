// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/peer_dial.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <functional>

#include "daemon/host/deadline.h"

namespace mcv::host {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr std::chrono::milliseconds connect_limit{5'000};

Error unreachable(const PeerEndpoint& peer, std::string_view why) {
  return Error(ErrorCode::peer_unreachable, fmt::format("no connection to the peer at {} port {}: {}", peer.address, peer.port, why))
      .with_safe("the request was not sent; nothing changed there");
}

Error another_key(const PeerEndpoint& peer, const KeyFingerprint& shown) {
  return Error(ErrorCode::peer_key_mismatch, fmt::format("the machine at {} port {} proved another key than the one pinned for this node: {} instead of {}",
                                                         peer.address, peer.port, shown, peer.fingerprint))
      .with_safe("the request was not sent");
}

}  // namespace

asio::awaitable<Result<std::unique_ptr<TlsTransport>>> dial(asio::any_io_executor loop, std::shared_ptr<asio::ssl::context> context, PeerEndpoint peer,
                                                            std::chrono::milliseconds limit) {
  MCV_CO_TRY(const tcp::endpoint endpoint, literal_endpoint(peer.address, peer.port));
  tcp::socket socket(loop);
  TlsStream stream(std::move(socket), *context);
  auto transport = std::make_unique<TlsTransport>(std::move(stream));
  std::function<void()> close = [open = transport.get()]() { open->close(); };
  const Deadline timer(loop, std::min(limit, connect_limit), std::move(close));
  boost::system::error_code code;
  co_await transport->stream().next_layer().async_connect(endpoint, asio::redirect_error(asio::use_awaitable, code));
  if (code == asio::error::operation_aborted && !timer.expired()) throw boost::system::system_error(code);
  if (code) co_return unreachable(peer, timer.expired() ? "no answer" : code.message());
  set_dead_peer_detection(transport->stream().next_layer());
  co_await transport->stream().async_handshake(asio::ssl::stream_base::client, asio::redirect_error(asio::use_awaitable, code));
  if (code == asio::error::operation_aborted && !timer.expired()) throw boost::system::system_error(code);
  if (code) co_return unreachable(peer, timer.expired() ? "no TLS handshake in time" : fmt::format("TLS handshake: {}", code.message()));
  const KeyFingerprint shown = peer_fingerprint(transport->stream());
  if (shown.empty() || shown != peer.fingerprint) co_return another_key(peer, shown);
  if (timer.expired()) co_return unreachable(peer, "the connection took too long");
  co_return transport;
}

}  // namespace mcv::host
