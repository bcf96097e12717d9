// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <string>

#include "daemon/host/stream_transport.h"
#include "daemon/server/unix_http_server.h"

namespace mcv::server {

/// Who is at the other end of a connection.
api::Caller caller_of(int fd);

/// One client: requests one after another, until either side ends it.
class ClientConnection {
 public:
  using Socket = boost::asio::local::stream_protocol::socket;
  ClientConnection(UnixHttpServer& server, Socket socket);
  ~ClientConnection();
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  boost::asio::awaitable<void> run();
  /// The daemon goes away: ends an idle connection or a stream, lets a reply get out.
  void stop();
  uid_t uid() const { return caller_.uid; }

 private:
  enum class Phase { idle, answering, streaming };

  boost::asio::awaitable<bool> one_request();
  boost::asio::awaitable<bool> send_reply(api::ApiReply reply, bool keep_alive);
  boost::asio::awaitable<bool> send_json(int status, std::string content_type, std::string body, bool keep_alive);
  boost::asio::awaitable<bool> send_problem(Error error, bool keep_alive);
  boost::asio::awaitable<void> send_lines(api::LinesReply reply);
  boost::asio::awaitable<void> send_stream(api::UpgradeReply reply);
  boost::asio::awaitable<void> pump_lines(api::LineSource* lines);
  boost::asio::awaitable<void> watch_for_end();
  /// False when the client did not take it within the write deadline.
  boost::asio::awaitable<bool> write(std::string bytes);

  UnixHttpServer& server_;
  host::StreamTransport<Socket> transport_;
  api::Caller caller_;
  std::string pending_;
  Phase phase_ = Phase::idle;
};

}  // namespace mcv::server
