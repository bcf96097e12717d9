// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/peer_tls.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <boost/asio/ip/address.hpp>

namespace mcv::host {

namespace asio = boost::asio;
namespace ssl = asio::ssl;

Result<std::shared_ptr<ssl::context>> make_tls_context(const NodeKey& key) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls);
  SSL_CTX* native = context->native_handle();
  const bool usable = SSL_CTX_set_min_proto_version(native, TLS1_3_VERSION) == 1 && SSL_CTX_use_certificate(native, key.certificate()) == 1 &&
                      SSL_CTX_use_PrivateKey(native, key.key()) == 1;
  if (!usable) return Error(ErrorCode::internal, "TLS 1.3 with the node's key is not possible with this OpenSSL");
  // A resumed connection would not prove the key again.
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(native, 0);
  SSL_CTX_set_options(native, SSL_OP_NO_TICKET);
  boost::system::error_code code;
  context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert, code);
  context->set_verify_callback([](bool, ssl::verify_context&) { return true; }, code);
  if (code) return Error(ErrorCode::internal, fmt::format("TLS: {}", code.message()));
  return context;
}

KeyFingerprint peer_fingerprint(TlsStream& stream) {
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(stream.native_handle()), X509_free);
  return fingerprint_of(certificate.get());
}

void set_dead_peer_detection(asio::ip::tcp::socket& socket) {
  const int on = 1;
  const int idle_seconds = 4;
  const int interval_seconds = 2;
  const int probes = 3;
  const unsigned unacknowledged_ms = 10'000;
  const int fd = socket.native_handle();
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof idle_seconds);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_seconds, sizeof interval_seconds);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof unacknowledged_ms);
}

void let_the_reader_pause(asio::ip::tcp::socket& socket) {
  const unsigned system_default = 0;
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &system_default, sizeof system_default);
}

Result<asio::ip::tcp::endpoint> literal_endpoint(const std::string& address, std::uint16_t port) {
  boost::system::error_code code;
  const asio::ip::address parsed = asio::ip::make_address(address, code);
  if (code) return Error(ErrorCode::bad_request, fmt::format("'{}' is not an IPv4 or IPv6 address", address)).with_next("give the address in numbers, for example 10.77.0.11");
  if (port == 0) return Error(ErrorCode::bad_request, "the port is 0");
  return asio::ip::tcp::endpoint(parsed, port);
}

}  // namespace mcv::host
