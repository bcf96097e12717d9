// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <chrono>
#include <memory>
#include <set>
#include <string>

#include "cluster/core/task_group.h"
#include "daemon/api/api_call.h"
#include "daemon/host/descriptor.h"
#include "daemon/host/http_wire.h"

namespace mcv::server {

class ClientConnection;

/// Answers one call. The router is one such function.
using Answerer = std::function<boost::asio::awaitable<api::ApiReply>(api::ApiCall call, std::string target)>;

struct ServerOptions {
  std::string path = "/run/mcv/mcvd.sock";
  unsigned mode = 0600;
  std::size_t connection_limit = 256;
  std::size_t per_user_limit = 16;  ///< connections of one account that is not root
  /// The last quarter of all connections is root's: nobody else can keep it out.
  std::size_t shared_limit() const { return connection_limit - connection_limit / 4; }
  host::WireLimits limits;
  std::chrono::milliseconds write_deadline{30'000};  ///< for one reply, or one line of a stream
};

/// HTTP/1.1 on a unix socket. Everything a client sends is bounded in size and time; a client that is too much gets a
/// problem object and its connection closed. All on the loop's thread.
class UnixHttpServer {
 public:
  UnixHttpServer(boost::asio::any_io_executor loop, ServerOptions options, Answerer answerer);
  ~UnixHttpServer();

  /// Takes the lock file beside the socket, once; `in_use` when another daemon is alive. A daemon calls it before it touches
  /// store, guests or DRBD: two of them on one machine must not get further than this.
  Status claim();
  /// Claims if that was not done, replaces a dead socket and listens.
  Status start();
  /// No new connections or requests; idle ones and streams end at once, replies being worked on have `grace` to get out.
  /// Await it before destruction.
  boost::asio::awaitable<void> stop(std::chrono::milliseconds grace);
  std::size_t connections() const { return connections_.size(); }

 private:
  friend class ClientConnection;
  boost::asio::awaitable<void> accept_all();
  void accept_waiting();
  void take(boost::asio::local::stream_protocol::socket socket);
  static boost::asio::awaitable<void> serve(std::unique_ptr<ClientConnection> connection);
  bool has_room_for(uid_t uid) const;

  boost::asio::any_io_executor loop_;
  ServerOptions options_;
  Answerer answerer_;
  host::Descriptor lock_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
  TaskGroup tasks_;
  std::set<ClientConnection*> connections_;
  bool stopping_ = false;
};

}  // namespace mcv::server
