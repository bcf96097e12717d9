// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/real_peer_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <optional>

#include "daemon/host/deadline.h"
#include "daemon/host/http_wire.h"
#include "daemon/host/peer_listener.h"
#include "daemon/host/peer_tls.h"

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

Error unknown_outcome(const PeerEndpoint& peer, const HttpRequest& request, std::string_view why) {
  return Error(ErrorCode::outcome_unknown,
               fmt::format("{} {} was sent to the peer at {} and no answer came: {}", request.method, request.target, peer.address, why));
}

}  // namespace

RealPeerNetwork::RealPeerNetwork(asio::any_io_executor loop, NodeKey key, std::shared_ptr<asio::ssl::context> context)
    : loop_(loop), key_(std::move(key)), context_(std::move(context)), tasks_(loop) {}

RealPeerNetwork::~RealPeerNetwork() = default;

Result<std::unique_ptr<RealPeerNetwork>> RealPeerNetwork::make(asio::any_io_executor loop, NodeKey key) {
  MCV_TRY(auto context, make_tls_context(key));
  return std::unique_ptr<RealPeerNetwork>(new RealPeerNetwork(std::move(loop), std::move(key), std::move(context)));
}

asio::awaitable<Result<HttpResponse>> RealPeerNetwork::call(PeerEndpoint peer, HttpRequest request, std::chrono::milliseconds deadline) {
  MCV_CO_TRY(const tcp::endpoint endpoint, literal_endpoint(peer.address, peer.port));
  MCV_CO_TRY(std::string wire, request_text(request, "mcvd"));
  if (request.body.size() > PeerListener::body_limit) {
    co_return Error(ErrorCode::too_large, fmt::format("a request to the peer of {} bytes; at most {} are taken", request.body.size(), PeerListener::body_limit));
  }
  const auto begun = std::chrono::steady_clock::now();
  const auto context = context_;
  tcp::socket socket(loop_);
  TlsStream stream(std::move(socket), *context);
  TlsTransport transport(std::move(stream));
  const std::function<void()> close = [&transport]() { transport.close(); };
  std::optional<Deadline> timer;
  timer.emplace(loop_, std::min(deadline, connect_limit), close);
  boost::system::error_code code;
  co_await transport.stream().next_layer().async_connect(endpoint, asio::redirect_error(asio::use_awaitable, code));
  if (code == asio::error::operation_aborted && !timer->expired()) throw boost::system::system_error(code);
  if (code) co_return unreachable(peer, timer->expired() ? "no answer" : code.message());
  set_dead_peer_detection(transport.stream().next_layer());
  co_await transport.stream().async_handshake(asio::ssl::stream_base::client, asio::redirect_error(asio::use_awaitable, code));
  if (code == asio::error::operation_aborted && !timer->expired()) throw boost::system::system_error(code);
  if (code) co_return unreachable(peer, timer->expired() ? "no TLS handshake in time" : fmt::format("TLS handshake: {}", code.message()));
  const KeyFingerprint shown = peer_fingerprint(transport.stream());
  if (shown.empty() || shown != peer.fingerprint) co_return another_key(peer, shown);
  if (timer->expired()) co_return unreachable(peer, "the connection took too long");

  const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
  timer.emplace(loop_, std::max(deadline - spent, std::chrono::milliseconds(1)), close);
  bool sent = false;
  Result<HttpResponse> response = co_await http_exchange(transport, std::move(wire), PeerListener::body_limit, sent);
  if (response.ok()) co_return response;
  if (timer->expired()) co_return unknown_outcome(peer, request, fmt::format("the bound of {:g} s passed", std::chrono::duration<double>(deadline).count()));
  co_return unknown_outcome(peer, request, response.error().message());
}

asio::awaitable<bool> RealPeerNetwork::answers(PeerEndpoint peer, std::chrono::milliseconds deadline) {
  const auto endpoint = literal_endpoint(peer.address, peer.port);
  if (!endpoint.ok()) co_return false;
  const tcp::endpoint there = *endpoint;
  tcp::socket socket(loop_);
  const std::function<void()> close = [&socket]() {
    boost::system::error_code ignored;
    socket.close(ignored);
  };
  std::optional<Deadline> timer;
  timer.emplace(loop_, deadline, close);
  boost::system::error_code code;
  co_await socket.async_connect(there, asio::redirect_error(asio::use_awaitable, code));
  if (code == asio::error::operation_aborted && !timer->expired()) throw boost::system::system_error(code);
  co_return !code || code == asio::error::connection_refused || code == asio::error::connection_reset;
}

Status RealPeerNetwork::listen(std::string address, std::uint16_t port, PeerHandler handler) {
  if (address.empty()) {
    if (listener_ != nullptr) listener_->close();
    listener_.reset();
    return success();
  }
  MCV_TRY(const tcp::endpoint endpoint, literal_endpoint(address, port));
  // The same address again would be "in use" by ourselves; the old one goes first.
  if (listener_ != nullptr) listener_->close();
  listener_.reset();
  MCV_TRY(listener_, PeerListener::open(loop_, endpoint, context_, std::move(handler)));
  listener_->start(tasks_);
  return success();
}

asio::awaitable<void> RealPeerNetwork::stop() {
  if (listener_ != nullptr) listener_->close();
  listener_.reset();
  tasks_.cancel();
  co_await tasks_.join();
}

}  // namespace mcv::host
