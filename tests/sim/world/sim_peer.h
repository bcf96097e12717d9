// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/core/task_group.h"
#include "cluster/host/peer_network.h"
#include "engine/reply.h"
#include "world/sim_peer_stream.h"

namespace mcv::sim {

/// The network the daemons talk over: who listens where, and what becomes of a request.
class SimPeerWorld {
 public:
  explicit SimPeerWorld(Scheduler& scheduler) : scheduler_(scheduler) {}
  bool cut = false;
  std::set<std::string> powered_off;  ///< addresses whose machine answers nothing at all
  unsigned refuse_percent = 0;        ///< no connection comes about
  unsigned lose_request_percent = 0;  ///< sent, never arrives
  unsigned lose_answer_percent = 0;   ///< carried out, the answer is lost
  unsigned late_percent = 0;          ///< arrives long after the caller gave up, or twice
  std::string mute;                   ///< an address that nothing gets out of; empty: none
  static constexpr std::uint64_t usual_ms = 20;
  std::uint64_t slowest_ms = usual_ms;

 private:
  friend class SimPeer;
  std::shared_ptr<SimPeerConnection> connect(Owner calls, Owner answers);

  Scheduler& scheduler_;
  std::map<std::string, class SimPeer*> listeners_;  ///< by "address:port"
};

class SimPeer final : public host::PeerNetwork {
 public:
  SimPeer(Scheduler& scheduler, Owner owner, SimPeerWorld& world, host::KeyFingerprint own)
      : scheduler_(scheduler), owner_(owner), world_(world), own_(std::move(own)), handlers_(scheduler.executor(owner)) {}
  ~SimPeer() override;

  host::KeyFingerprint own_fingerprint() const override { return own_; }
  boost::asio::awaitable<Result<host::HttpResponse>> call(host::PeerEndpoint peer, host::HttpRequest request, std::chrono::milliseconds deadline) override;
  boost::asio::awaitable<bool> answers(host::PeerEndpoint peer, std::chrono::milliseconds deadline) override;
  boost::asio::awaitable<Result<host::PeerReply>> upgrade(host::PeerEndpoint peer, host::HttpRequest request, std::chrono::milliseconds deadline) override;
  Status listen(std::string address, std::uint16_t port, host::PeerHandler handler) override;

 private:
  using Answer = Reply<Result<host::PeerReply>>;
  static constexpr SimPeerConnection::Side calling = 0;
  static constexpr SimPeerConnection::Side answering = 1;
  /// The own side's and the other side's words are lost where a link works one way only.
  bool is_mute(const std::string& address) const { return !world_.mute.empty() && world_.mute == address; }
  std::string own_address() const { return listening_.substr(0, listening_.rfind(':')); }
  void arrive(const std::string& where, host::PeerEndpoint peer, host::HttpRequest request, bool lose_answer, Answer reply);
  boost::asio::awaitable<void> serve(host::PeerHandler handler, host::KeyFingerprint caller, Owner callers_life, host::HttpRequest request,
                                     std::function<void(host::PeerReply)> done);

  Scheduler& scheduler_;
  Owner owner_;
  SimPeerWorld& world_;
  host::KeyFingerprint own_;
  host::PeerHandler handler_;
  std::string listening_;
  std::vector<std::pair<std::weak_ptr<SimPeerConnection>, SimPeerConnection::Side>> connections_;
  TaskGroup handlers_;
};

}  // namespace mcv::sim
