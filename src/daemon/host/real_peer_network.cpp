// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/real_peer_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "daemon/host/deadline.h"
#include "daemon/host/http_wire.h"
#include "daemon/host/peer_dial.h"
#include "daemon/host/peer_listener.h"
#include "daemon/host/peer_tls.h"
#include "daemon/host/transport_stream.h"

namespace mcv::host {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

Error unknown_outcome(const PeerEndpoint& peer, const HttpRequest& request, std::string_view why) {
  return Error(ErrorCode::outcome_unknown,
               fmt::format("{} {} was sent to the peer at {} and no answer came: {}", request.method, request.target, peer.address, why));
}

/// The calling side of an upgraded connection.
class PeerStream final : public ByteStream {
 public:
  PeerStream(std::unique_ptr<TlsTransport> transport, std::string first) : transport_(std::move(transport)), bytes_(*transport_, std::move(first)) {}
  asio::awaitable<Result<std::string>> read_some() override { return bytes_.read_some(); }
  asio::awaitable<Status> write(std::string bytes) override { return bytes_.write(std::move(bytes)); }
  void close() override { bytes_.close(); }

 private:
  std::unique_ptr<TlsTransport> transport_;
  TransportStream bytes_;
};

}  // namespace

struct RealPeerNetwork::Exchanged {
  HttpResponse response;
  std::unique_ptr<TlsTransport> transport;
};

RealPeerNetwork::RealPeerNetwork(asio::any_io_executor loop, NodeKey key, std::shared_ptr<asio::ssl::context> context)
    : loop_(loop), key_(std::move(key)), context_(std::move(context)), tasks_(loop) {}

RealPeerNetwork::~RealPeerNetwork() = default;

Result<std::unique_ptr<RealPeerNetwork>> RealPeerNetwork::make(asio::any_io_executor loop, NodeKey key) {
  MCV_TRY(auto context, make_tls_context(key));
  return std::unique_ptr<RealPeerNetwork>(new RealPeerNetwork(std::move(loop), std::move(key), std::move(context)));
}

asio::awaitable<Result<HttpResponse>> RealPeerNetwork::call(PeerEndpoint peer, HttpRequest request, std::chrono::milliseconds deadline) {
  Upgraded* const no_upgrade = nullptr;
  MCV_CO_TRY(Exchanged exchanged, co_await exchange(std::move(peer), std::move(request), deadline, no_upgrade));
  co_return std::move(exchanged.response);
}

asio::awaitable<Result<RealPeerNetwork::Exchanged>> RealPeerNetwork::exchange(PeerEndpoint peer, HttpRequest request, std::chrono::milliseconds deadline,
                                                                              Upgraded* upgraded) {
  MCV_CO_TRY(std::string wire, request_text(request, "mcvd"));
  if (request.body.size() > PeerListener::body_limit) {
    co_return Error(ErrorCode::too_large, fmt::format("a request to the peer of {} bytes; at most {} are taken", request.body.size(), PeerListener::body_limit));
  }
  const auto begun = std::chrono::steady_clock::now();
  Exchanged exchanged;
  MCV_CO_TRY(exchanged.transport, co_await dial(loop_, context_, peer, deadline));
  const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
  std::function<void()> close = [open = exchanged.transport.get()]() { open->close(); };
  const Deadline timer(loop_, std::max(deadline - spent, std::chrono::milliseconds(1)), std::move(close));
  bool sent = false;
  Result<HttpResponse> response = co_await http_exchange(*exchanged.transport, std::move(wire), PeerListener::body_limit, sent, upgraded);
  if (!response.ok()) {
    if (timer.expired()) co_return unknown_outcome(peer, request, fmt::format("the bound of {:g} s passed", std::chrono::duration<double>(deadline).count()));
    co_return unknown_outcome(peer, request, response.error().message());
  }
  exchanged.response = std::move(*response);
  co_return exchanged;
}

asio::awaitable<Result<PeerReply>> RealPeerNetwork::upgrade(PeerEndpoint peer, HttpRequest request, std::chrono::milliseconds deadline) {
  const std::string wanted = request.upgrade;
  Upgraded upgraded;
  MCV_CO_TRY(Exchanged exchanged, co_await exchange(std::move(peer), std::move(request), deadline, &upgraded));
  PeerReply reply;
  if (upgraded.protocol.empty()) {
    reply = std::move(exchanged.response);
    co_return reply;
  }
  if (upgraded.protocol != wanted) co_return Error(ErrorCode::bad_output, fmt::format("the peer changed to '{}' instead of {}", upgraded.protocol, wanted));
  reply = std::make_unique<PeerStream>(std::move(exchanged.transport), std::move(upgraded.first));
  co_return reply;
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
