// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/transport_stream.h"

#include <fmt/format.h>

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <utility>

namespace mcv::host {

namespace asio = boost::asio;

namespace {

/// Neither daemon says goodbye in TLS before it closes: its end is a truncated stream.
bool is_end(const boost::system::error_code& code) {
  return code == asio::error::eof || code == asio::ssl::error::stream_truncated || code == asio::error::operation_aborted;
}

Error lost(const boost::system::error_code& code) { return Error(ErrorCode::connection_lost, fmt::format("the connection was lost: {}", code.message())); }

}  // namespace

asio::awaitable<Result<std::string>> TransportStream::read_some() {
  std::string bytes = std::exchange(first_, {});
  boost::system::error_code code;
  if (bytes.empty()) co_await transport_.read_some(bytes, code);
  if (code && !is_end(code)) co_return lost(code);
  co_return bytes;
}

asio::awaitable<Status> TransportStream::write(std::string bytes) {
  boost::system::error_code code;
  co_await transport_.write(std::move(bytes), code);
  if (code) co_return lost(code);
  co_return success();
}

}  // namespace mcv::host
