// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>

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

/// What a request gets: an answer, or, when it asked to change the protocol and may, the bytes that follow.
using PeerReply = std::variant<HttpResponse, std::unique_ptr<ByteStream>>;

/// What a network answers by itself to an upgrade when it carries all the streams it can; the handler never uses it.
inline constexpr int too_many_streams = 429;

/// Answers one request of a caller who proved to hold the key `caller`. Whether that key may ask is the handler's
/// decision: at join a key is not pinned yet. A stream is only for a request with `upgrade`; it is destroyed when either
/// side has ended it, and when this network stops.
using PeerHandler = std::function<boost::asio::awaitable<PeerReply>(KeyFingerprint caller, HttpRequest request)>;

/// Requests and streams between the two daemons: HTTP over TLS 1.3 with certificates on both sides.
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
  /// The same for a request with `upgrade`, whose good answer is a stream of bytes in both directions; `deadline` is for
  /// its opening. What is read comes in bounded pieces, and who does not read stops the other side's writing. Hanging up
  /// is the end of the other side's stream; a peer that vanished is `connection_lost` after about ten seconds.
  virtual boost::asio::awaitable<Result<PeerReply>> upgrade(PeerEndpoint peer, HttpRequest request, std::chrono::milliseconds deadline) = 0;
  /// Listens on `address` and `port` until replaced by another call or stopped; an empty address stops.
  virtual Status listen(std::string address, std::uint16_t port, PeerHandler handler) = 0;
};

}  // namespace mcv::host
