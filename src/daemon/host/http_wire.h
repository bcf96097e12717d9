// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 on a Transport, both sides. Boost.Beast's parser is behind this one file.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "cluster/core/result.h"
#include "cluster/host/streams.h"
#include "daemon/host/transport.h"

namespace mcv::host {

/// What a server accepts from a client it does not trust. Each deadline is for the whole part, so that a client that
/// sends one byte a second does not hold a connection.
struct WireLimits {
  std::size_t header_bytes = 16 * 1024;
  std::size_t body_bytes = 1024 * 1024;
  std::chrono::milliseconds idle{60'000};   ///< until the first byte of a request
  std::chrono::milliseconds header{10'000};
  std::chrono::milliseconds body{30'000};
};

enum class Arrival {
  request,         ///< `request` is complete
  closed,          ///< the client went away, or was idle for too long
  malformed,       ///< not HTTP, or not one we accept
  too_large,       ///< header or body past its limit
  too_slow,        ///< a part did not come within its deadline
};

struct IncomingRequest {
  Arrival arrival = Arrival::closed;
  HttpRequest request;
  bool keep_alive = false;
};

/// Reads one request. `pending` carries bytes that belong to the next one, or to the upgraded protocol.
boost::asio::awaitable<IncomingRequest> read_request(Transport& transport, std::string& pending, WireLimits limits);

/// Where an upgrade left the connection.
struct Upgraded {
  std::string protocol;  ///< as the server names it
  std::string first;     ///< bytes that came behind the head
};

/// A client's side of one request on a fresh connection: writes `wire`, reads the answer. `sent` is set before the first
/// byte is written. Accepts a status line without a reason phrase, with or without its space, interim 1xx answers, and
/// no length where a keep-alive answer has no body. `connection_lost` when the other side closed, `bad_output` when it
/// does not speak HTTP.
/// With `upgraded`, an answer 101 ends the exchange and fills it.
boost::asio::awaitable<Result<HttpResponse>> http_exchange(Transport& transport, std::string wire, std::size_t body_limit, bool& sent,
                                                           Upgraded* upgraded = nullptr);

/// The bytes of a request. Refuses a method, target or header that would break out of its line.
Result<std::string> request_text(const HttpRequest& request, std::string_view host);

struct ResponseHead {
  int status = 200;
  std::string_view content_type = "application/json";
  bool keep_alive = true;
};
std::string response_text(const ResponseHead& head, std::string_view body);
/// The head of a chunked answer; then `chunk_text` for each part and for the end an empty one.
std::string chunked_head_text(std::string_view content_type, bool keep_alive);
std::string chunk_text(std::string_view bytes);
std::string upgrade_head_text(std::string_view protocol);

}  // namespace mcv::host
