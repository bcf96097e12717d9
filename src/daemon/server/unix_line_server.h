// SPDX-License-Identifier: Apache-2.0
// The two sockets of programs that cannot speak HTTP: the one the kernel's DRBD calls.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/local/datagram_protocol.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <chrono>
#include <functional>
#include <string>

#include "cluster/core/task_group.h"
#include "cluster/core/result.h"

namespace mcv::server {

/// One line in, one line out, per connection. The socket is 0600.
class UnixLineServer {
 public:
  /// Gets a line without its newline, returns the answer without its newline. Only root reaches it.
  using Handler = std::function<boost::asio::awaitable<std::string>(std::string line)>;
  static constexpr std::size_t line_limit = 4096;
  static constexpr std::size_t connection_limit = 256;
  static constexpr std::chrono::milliseconds line_deadline{5'000};

  UnixLineServer(boost::asio::any_io_executor loop, std::string path, Handler handler);
  /// Replaces a socket file that is there: take the daemon's lock (UnixHttpServer::start) first.
  Status start();
  /// Cancels what is being answered. Await it before destruction.
  boost::asio::awaitable<void> stop();

 private:
  using Socket = boost::asio::local::stream_protocol::socket;
  boost::asio::awaitable<void> accept_all();
  boost::asio::awaitable<void> serve(Socket socket);

  boost::asio::any_io_executor loop_;
  std::string path_;
  Handler handler_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
  TaskGroup tasks_;
};

/// Datagrams, each handed to a function that must not block. The socket is 0600.
class UnixDatagramReceiver {
 public:
  using Handler = std::function<void(std::string bytes)>;
  static constexpr std::size_t size_limit = 4096;

  UnixDatagramReceiver(boost::asio::any_io_executor loop, std::string path, Handler handler);
  Status start();
  boost::asio::awaitable<void> stop();

 private:
  boost::asio::awaitable<void> receive_all();

  std::string path_;
  Handler handler_;
  boost::asio::local::datagram_protocol::socket socket_;
  TaskGroup tasks_;
};

}  // namespace mcv::server
