// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/peer_listener.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <optional>

#include "cluster/host/relay.h"
#include "daemon/host/deadline.h"
#include "daemon/host/http_wire.h"
#include "daemon/host/peer_tls.h"
#include "daemon/host/transport_stream.h"

namespace mcv::host {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr std::chrono::milliseconds handshake_deadline{5'000};
constexpr std::chrono::milliseconds write_deadline{30'000};
constexpr std::chrono::milliseconds accept_pause{100};

WireLimits peer_limits() {
  WireLimits limits;
  limits.body_bytes = PeerListener::body_limit;
  limits.idle = std::chrono::milliseconds(10'000);
  return limits;
}

Error listen_failure(const tcp::endpoint& endpoint, const boost::system::error_code& code) {
  const std::string what = fmt::format("listen on {} port {}: {}", endpoint.address().to_string(), endpoint.port(), code.message());
  if (code == asio::error::address_in_use) return Error(ErrorCode::in_use, what).with_next(fmt::format("ss -ltnp sport = :{}", endpoint.port()));
  if (code == boost::system::errc::address_not_available) return Error(ErrorCode::address_not_local, what).with_next("ip -br address");
  return Error(ErrorCode::io_error, what);
}

/// What a request that never reached the handler is answered with; 0 for "nothing".
int refusal_status(Arrival arrival) {
  switch (arrival) {
    case Arrival::malformed: return 400;
    case Arrival::too_large: return 413;
    case Arrival::too_slow: case Arrival::closed: case Arrival::request: return 0;
  }
  return 0;
}

struct Counted {
  explicit Counted(std::size_t& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  std::size_t& count_;
};

asio::awaitable<void> answer(TlsTransport& transport, int status, std::string body) {
  ResponseHead head;
  head.status = status;
  head.keep_alive = false;
  std::string text = response_text(head, body);
  std::function<void()> close = [&transport]() { transport.close(); };
  const Deadline deadline(transport.executor(), write_deadline, std::move(close));
  boost::system::error_code code;
  co_await transport.write(std::move(text), code);
  if (code) spdlog::debug("a peer's connection ended before its answer was sent: {}", code.message());
}

}  // namespace

Result<std::shared_ptr<PeerListener>> PeerListener::open(asio::any_io_executor loop, tcp::endpoint endpoint, std::shared_ptr<asio::ssl::context> context,
                                                         PeerHandler handler) {
  auto listener = std::make_shared<PeerListener>(std::move(loop));
  listener->context_ = std::move(context);
  listener->handler_ = std::make_shared<const PeerHandler>(std::move(handler));
  tcp::acceptor& acceptor = listener->acceptor_;
  boost::system::error_code code;
  acceptor.open(endpoint.protocol(), code);
  if (!code) acceptor.set_option(tcp::acceptor::reuse_address(true), code);
  if (!code && endpoint.address().is_v6()) acceptor.set_option(asio::ip::v6_only(true), code);
  if (!code) acceptor.bind(endpoint, code);
  if (!code) acceptor.listen(static_cast<int>(connection_limit), code);
  if (code) return listen_failure(endpoint, code);
  return listener;
}

void PeerListener::start(TaskGroup& tasks) { tasks.spawn(accept_all(shared_from_this(), &tasks)); }

void PeerListener::close() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

asio::awaitable<void> PeerListener::accept_all(std::shared_ptr<PeerListener> self, TaskGroup* tasks) {
  while (self->acceptor_.is_open()) {
    boost::system::error_code code;
    tcp::socket socket = co_await self->acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, code));
    if (code == asio::error::operation_aborted) co_return;
    if (code) {
      // Out of descriptors or memory: the connection waits in the kernel's queue.
      spdlog::warn("accept on the cluster link: {}", code.message());
      asio::steady_timer pause(self->acceptor_.get_executor());
      pause.expires_after(accept_pause);
      co_await pause.async_wait(asio::use_awaitable);
      continue;
    }
    if (self->connections_ >= connection_limit) continue;  // the destructor closes it: the caller sees "unreachable"
    tasks->spawn(serve(self, std::move(socket)));
  }
}

asio::awaitable<void> PeerListener::serve(std::shared_ptr<PeerListener> self, tcp::socket socket) {
  std::optional<Counted> counted(self->connections_);
  set_dead_peer_detection(socket);
  TlsStream stream(std::move(socket), *self->context_);
  TlsTransport transport(std::move(stream));
  std::function<void()> close = [&transport]() { transport.close(); };
  boost::system::error_code code;
  std::optional<Deadline> deadline;
  deadline.emplace(transport.executor(), handshake_deadline, std::move(close));
  co_await transport.stream().async_handshake(asio::ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, code));
  const bool late = deadline->expired();
  deadline.reset();
  if (code == asio::error::operation_aborted && !late) throw boost::system::system_error(code);
  KeyFingerprint caller;
  if (!code) caller = peer_fingerprint(transport.stream());
  if (code || caller.empty()) {
    spdlog::debug("a connection on the cluster link did not prove a key: {}", late ? "too slow" : code.message());
    co_return;
  }
  std::string pending;
  const WireLimits limits = peer_limits();
  IncomingRequest incoming = co_await read_request(transport, pending, limits);
  if (incoming.arrival != Arrival::request) {
    const int status = refusal_status(incoming.arrival);
    if (status != 0) co_await answer(transport, status, std::string());
    co_return;
  }
  const std::string protocol = incoming.request.upgrade;
  if (!protocol.empty() && self->streams_ >= stream_limit) {
    co_await answer(transport, too_many_streams, std::string());
    co_return;
  }
  const std::shared_ptr<const PeerHandler> handler = self->handler_;
  PeerReply reply = co_await (*handler)(std::move(caller), std::move(incoming.request));
  if (auto* response = std::get_if<HttpResponse>(&reply)) {
    co_await answer(transport, response->status, std::move(response->body));
    co_return;
  }
  counted.emplace(self->streams_);
  let_the_reader_pause(transport.stream().next_layer());
  TransportStream wire(transport, std::move(pending));
  std::string head = upgrade_head_text(protocol);
  const Status begun = co_await wire.write(std::move(head));
  if (!begun.ok()) co_return;
  const std::unique_ptr<ByteStream> served = std::move(std::get<std::unique_ptr<ByteStream>>(reply));
  co_await relay(wire, *served);
}

}  // namespace mcv::host
