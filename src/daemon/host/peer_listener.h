// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <memory>

#include "cluster/core/task_group.h"
#include "cluster/host/peer_network.h"

namespace mcv::host {

/// One listening socket and the connections it accepted; a connection carries one request, or from then on a stream.
class PeerListener : public std::enable_shared_from_this<PeerListener> {
 public:
  static constexpr std::size_t connection_limit = 64;
  static constexpr std::size_t stream_limit = 64;  ///< apart: however many consoles are watched, a request finds its place
  static constexpr std::size_t body_limit = std::size_t{4} << 20;

  /// `address_not_local`, `in_use` or `io_error` when it cannot listen there.
  static Result<std::shared_ptr<PeerListener>> open(boost::asio::any_io_executor loop, boost::asio::ip::tcp::endpoint endpoint,
                                                    std::shared_ptr<boost::asio::ssl::context> context, PeerHandler handler);
  /// Accepts from now on; its tasks live in `tasks`.
  void start(TaskGroup& tasks);
  /// No further connection; those that are being answered go on to their end.
  void close();

  explicit PeerListener(const boost::asio::any_io_executor& loop) : acceptor_(loop) {}

 private:
  static boost::asio::awaitable<void> accept_all(std::shared_ptr<PeerListener> self, TaskGroup* tasks);
  static boost::asio::awaitable<void> serve(std::shared_ptr<PeerListener> self, boost::asio::ip::tcp::socket socket);

  boost::asio::ip::tcp::acceptor acceptor_;
  std::shared_ptr<boost::asio::ssl::context> context_;
  std::shared_ptr<const PeerHandler> handler_;
  std::size_t connections_ = 0;
  std::size_t streams_ = 0;
};

}  // namespace mcv::host
