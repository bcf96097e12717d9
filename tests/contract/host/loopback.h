// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <string>
#include <thread>

namespace mcv::test {

/// A port nobody listens on right now.
inline std::uint16_t free_port() {
  boost::asio::io_context loop;
  const auto address = boost::asio::ip::make_address("127.0.0.1");
  boost::asio::ip::tcp::acceptor acceptor(loop, boost::asio::ip::tcp::endpoint(address, 0));
  return acceptor.local_endpoint().port();
}

/// A server that reads a request and answers with exactly these bytes, then closes, or holds the connection open until the
/// client gives up. For answers no real server would give.
class OddServer {
 public:
  OddServer(const std::string& path, std::string answer, bool hold_open)
      : acceptor_(loop_, boost::asio::local::stream_protocol::endpoint(path)), answer_(std::move(answer)), hold_open_(hold_open), thread_([this]() { serve(); }) {}
  ~OddServer() { thread_.join(); }
  const std::string& request() const { return request_; }

 private:
  void serve() {
    boost::system::error_code code;
    auto socket = acceptor_.accept(code);
    if (code) return;
    std::array<char, 4096> chunk;
    while (request_.find("\r\n\r\n") == std::string::npos) {
      const std::size_t got = socket.read_some(boost::asio::buffer(chunk), code);
      if (code) return;
      request_.append(chunk.data(), got);
    }
    boost::asio::write(socket, boost::asio::buffer(answer_), code);
    while (hold_open_ && !code) socket.read_some(boost::asio::buffer(chunk), code);
  }

  boost::asio::io_context loop_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
  std::string answer_;
  bool hold_open_;
  std::string request_;
  std::thread thread_;
};

}  // namespace mcv::test
