// SPDX-License-Identifier: Apache-2.0
// What one daemon asks of the other, over the pinned link. Errors of the other side arrive as they left it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cluster/core/json.h"
#include "cluster/host/peer_network.h"
#include "cluster/model/records.h"
#include "cluster/plan/step_dispatcher.h"

namespace mcv {

class PeerClient {
 public:
  explicit PeerClient(host::PeerNetwork& network) : network_(network) {}

  static constexpr std::chrono::milliseconds quick{5'000};
  static constexpr std::chrono::milliseconds patient{120'000};

  /// POST `body` to `target`; the answer's JSON, or the error the other side or the transport gave.
  boost::asio::awaitable<Result<Json>> post(NodeRecord node, std::string target, Json body, std::chrono::milliseconds deadline);
  boost::asio::awaitable<Result<Json>> post_to(host::PeerEndpoint endpoint, std::string target, Json body, std::chrono::milliseconds deadline);
  /// The same with an upgrade to `protocol`: the stream that it opens.
  boost::asio::awaitable<Result<std::unique_ptr<host::ByteStream>>> open(NodeRecord node, std::string target, Json body, std::string protocol,
                                                                         std::chrono::milliseconds deadline);

 private:
  host::PeerNetwork& network_;
};

host::PeerEndpoint endpoint_of(const NodeRecord& node);

}  // namespace mcv
