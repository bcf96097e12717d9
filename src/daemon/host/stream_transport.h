// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

#include "daemon/host/transport.h"

namespace mcv::host {

/// Transport over an Asio stream: a socket, or TLS on one. `closed` tells our own close from a cancelled coroutine.
template <typename Stream>
class StreamTransport : public Transport {
 public:
  explicit StreamTransport(Stream stream) : stream_(std::move(stream)) {}

  boost::asio::awaitable<void> read_some(std::string& text, boost::system::error_code& code) override {
    const auto buffer = boost::asio::buffer(chunk_);
    const std::size_t got = co_await stream_.async_read_some(buffer, boost::asio::redirect_error(boost::asio::use_awaitable, code));
    throw_if_cancelled(code);
    text.append(chunk_.data(), got);
  }

  boost::asio::awaitable<void> write(std::string bytes, boost::system::error_code& code) override {
    const auto buffer = boost::asio::buffer(bytes);
    co_await boost::asio::async_write(stream_, buffer, boost::asio::redirect_error(boost::asio::use_awaitable, code));
    throw_if_cancelled(code);
  }

  void close() override {
    closed_ = true;
    boost::system::error_code ignored;
    stream_.lowest_layer().close(ignored);
  }

  boost::asio::any_io_executor executor() override { return stream_.get_executor(); }
  Stream& stream() { return stream_; }

 private:
  void throw_if_cancelled(const boost::system::error_code& code) const {
    if (code == boost::asio::error::operation_aborted && !closed_) throw boost::system::system_error(code);
  }

  Stream stream_;
  bool closed_ = false;
  std::array<char, 16384> chunk_{};
};

}  // namespace mcv::host
