// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "cluster/core/result.h"
#include "cluster/host/streams.h"

namespace mcv::host {

/// SHA-256 of a certificate's SubjectPublicKeyInfo, lower-case hex: what the node record pins.
using KeyFingerprint = std::string;

struct PeerEndpoint {
  std::string address;        ///< literal IPv4 or IPv6; no name is ever looked up
  std::uint16_t port = 0;
  KeyFingerprint fingerprint; ///< another key ends the call with `peer_key_mismatch` before a byte of the request is sent
};

/// Answers one request of a caller who proved to hold the key `caller`. Whether that key may ask is the handler's
/// decision: at join a key is not pinned yet.
using PeerHandler = std::function<boost::asio::awaitable<HttpResponse>(KeyFingerprint caller, HttpRequest request)>;

/// Requests between the two daemons: HTTP over TLS 1.3 with certificates on both sides.
class PeerNetwork {
 public:
  virtual ~PeerNetwork() = default;
  /// This node's own key. Made once by `hvctl node init`.
  virtual KeyFingerprint own_fingerprint() const = 0;
  /// `peer_unreachable` when no connection came about (the request was not sent), `outcome_unknown` when it was sent and
  /// no answer came, `timed_out` is never used.
  virtual boost::asio::awaitable<Result<HttpResponse>> call(PeerEndpoint peer, HttpRequest request, std::chrono::milliseconds deadline) = 0;
  /// Whether anything answers there: a refused connection as well, because a machine without power refuses nothing.
  virtual boost::asio::awaitable<bool> answers(PeerEndpoint peer, std::chrono::milliseconds deadline) = 0;
  /// Listens on `address` and `port` until replaced by another call or stopped; an empty address stops.
  virtual Status listen(std::string address, std::uint16_t port, PeerHandler handler) = 0;
};

}  // namespace mcv::host
