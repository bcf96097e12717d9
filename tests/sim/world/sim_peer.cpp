// SPDX-License-Identifier: Apache-2.0
#include "world/sim_peer.h"

#include <chrono>
#include <fmt/format.h>

namespace mcv::sim {

using std::chrono::milliseconds;

namespace {

Error unreachable() { return Error(ErrorCode::peer_unreachable, "no connection to the peer"); }
Error unknown() { return Error(ErrorCode::outcome_unknown, "the peer did not answer"); }

}  // namespace

SimPeer::~SimPeer() {
  if (const auto found = world_.listeners_.find(listening_); found != world_.listeners_.end() && found->second == this) world_.listeners_.erase(found);
}

Status SimPeer::listen(std::string address, std::uint16_t port, host::PeerHandler handler) {
  if (!listening_.empty()) world_.listeners_.erase(listening_);
  listening_ = address.empty() ? std::string() : fmt::format("{}:{}", address, port);
  handler_ = std::move(handler);
  if (!listening_.empty()) world_.listeners_[listening_] = this;
  return success();
}

boost::asio::awaitable<void> SimPeer::serve(host::PeerHandler handler, host::KeyFingerprint caller, host::HttpRequest request,
                                            std::function<void(host::HttpResponse)> done) {
  host::HttpResponse response = co_await handler(std::move(caller), std::move(request));
  done(std::move(response));
}

/// At the receiving side. The answer travels by a world timer: the caller may be gone by then, or the world may have lost it.
void SimPeer::arrive(const std::string& where, host::PeerEndpoint peer, host::HttpRequest request, bool lose_answer, Answer reply) {
  const auto listener = world_.listeners_.find(where);
  if (listener == world_.listeners_.end() || world_.cut) return reply(unreachable());
  SimPeer& there = *listener->second;
  if (!peer.fingerprint.empty() && there.own_ != peer.fingerprint) return reply(Error(ErrorCode::peer_key_mismatch, "the peer shows another key"));
  Scheduler& scheduler = scheduler_;
  SimPeerWorld& world = world_;
  auto done = [&scheduler, &world, lose_answer, reply](host::HttpResponse response) {
    const milliseconds back(scheduler.chance().between(1, world.slowest_ms));
    scheduler.after(0, back, [&world, lose_answer, reply, response = std::move(response)]() {
      if (!lose_answer && !world.cut) reply(response);
    });
  };
  std::function<void(host::HttpResponse)> finish = std::move(done);
  there.handlers_.spawn(there.serve(there.handler_, own_, std::move(request), std::move(finish)));
}

/// A machine with power answers also where no daemon listens: it refuses.
boost::asio::awaitable<bool> SimPeer::answers(host::PeerEndpoint peer, milliseconds deadline) {
  std::function<void(Reply<bool>)> begin = [this, peer, deadline](Reply<bool> reply) {
    const bool silent = world_.cut || world_.powered_off.contains(peer.address);
    const Time after = silent ? Time(deadline) : Time(milliseconds(scheduler_.chance().between(1, world_.slowest_ms)));
    scheduler_.after(owner_, after, [reply, silent]() { reply(!silent); });
  };
  co_return co_await await_reply<bool>(scheduler_, owner_, std::move(begin));
}

boost::asio::awaitable<Result<host::HttpResponse>> SimPeer::call(host::PeerEndpoint peer, host::HttpRequest request, milliseconds deadline) {
  std::function<void(Answer)> begin = [this, peer, request, deadline](Answer reply) {
    Chance& chance = scheduler_.chance();
    const std::string where = fmt::format("{}:{}", peer.address, peer.port);
    const milliseconds there(chance.between(1, world_.slowest_ms));
    const bool refuse = chance.percent(world_.refuse_percent);
    const bool lose_request = chance.percent(world_.lose_request_percent);
    const bool lose_answer = chance.percent(world_.lose_answer_percent);
    if (refuse || world_.cut) {
      scheduler_.after(owner_, there, [reply]() { reply(unreachable()); });
      return;
    }
    // The caller's daemon may end meanwhile; the request is under way all the same, unless the node of the caller is gone.
    if (!lose_request) {
      scheduler_.after(owner_, there, [this, where, peer, request, lose_answer, reply]() { arrive(where, peer, request, lose_answer, reply); });
    }
    scheduler_.after(owner_, deadline, [reply]() { reply(unknown()); });
  };
  co_return co_await await_reply<Result<host::HttpResponse>>(scheduler_, owner_, std::move(begin));
}

}  // namespace mcv::sim
