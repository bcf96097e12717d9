// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>

#include "cluster/core/task_group.h"
#include "cluster/host/peer_network.h"
#include "daemon/host/node_key.h"

namespace boost::asio::ssl {
class context;
}

namespace mcv::host {

class PeerListener;
struct Upgraded;

/// One connection per request: a handshake costs less than a millisecond and a connection kept open would turn "the peer
/// is unreachable" into "outcome unknown" whenever the peer died in between.
class RealPeerNetwork : public PeerNetwork {
 public:
  static Result<std::unique_ptr<RealPeerNetwork>> make(boost::asio::any_io_executor loop, NodeKey key);
  ~RealPeerNetwork() override;

  KeyFingerprint own_fingerprint() const override { return key_.fingerprint(); }
  /// No connection within the deadline or five seconds, whichever is shorter, is `peer_unreachable`.
  boost::asio::awaitable<Result<HttpResponse>> call(PeerEndpoint peer, HttpRequest request, std::chrono::milliseconds deadline) override;
  boost::asio::awaitable<bool> answers(PeerEndpoint peer, std::chrono::milliseconds deadline) override;
  boost::asio::awaitable<Result<PeerReply>> upgrade(PeerEndpoint peer, HttpRequest request, std::chrono::milliseconds deadline) override;
  Status listen(std::string address, std::uint16_t port, PeerHandler handler) override;
  /// Stops listening, cancels what is being served, streams included, and waits for it. Await it before destruction.
  boost::asio::awaitable<void> stop();

 private:
  struct Exchanged;
  boost::asio::awaitable<Result<Exchanged>> exchange(PeerEndpoint peer, HttpRequest request, std::chrono::milliseconds deadline, Upgraded* upgraded);
  RealPeerNetwork(boost::asio::any_io_executor loop, NodeKey key, std::shared_ptr<boost::asio::ssl::context> context);

  boost::asio::any_io_executor loop_;
  NodeKey key_;
  std::shared_ptr<boost::asio::ssl::context> context_;
  TaskGroup tasks_;
  std::shared_ptr<PeerListener> listener_;
};

}  // namespace mcv::host
