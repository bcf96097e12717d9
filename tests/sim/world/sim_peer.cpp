// SPDX-License-Identifier: Apache-2.0
#include "world/sim_peer.h"

#include <chrono>
#include <fmt/format.h>

#include "cluster/host/relay.h"

namespace mcv::sim {

using std::chrono::milliseconds;

namespace {

Error unreachable() { return Error(ErrorCode::peer_unreachable, "no connection to the peer"); }
Error unknown() { return Error(ErrorCode::outcome_unknown, "the peer did not answer"); }

}  // namespace

SimPeer::~SimPeer() {
  // The kernel closes what a daemon that is gone had open.
  for (const auto& [connection, side] : connections_) {
    if (const auto open = connection.lock()) open->hang_up(side);
  }
  if (const auto found = world_.listeners_.find(listening_); found != world_.listeners_.end() && found->second == this) world_.listeners_.erase(found);
}

Status SimPeer::listen(std::string address, std::uint16_t port, host::PeerHandler handler) {
  if (!listening_.empty()) world_.listeners_.erase(listening_);
  listening_ = address.empty() ? std::string() : fmt::format("{}:{}", address, port);
  handler_ = std::move(handler);
  if (!listening_.empty()) world_.listeners_[listening_] = this;
  return success();
}

boost::asio::awaitable<void> SimPeer::serve(host::PeerHandler handler, host::KeyFingerprint caller, Owner callers_life, host::HttpRequest request,
                                            std::function<void(host::PeerReply)> done) {
  host::PeerReply reply = co_await handler(std::move(caller), std::move(request));
  auto* stream = std::get_if<std::unique_ptr<host::ByteStream>>(&reply);
  if (stream == nullptr) {
    done(std::move(reply));
    co_return;
  }
  const std::unique_ptr<host::ByteStream> served = std::move(*stream);
  const auto connection = world_.connect(callers_life, owner_);
  connections_.push_back({connection, answering});
  const std::unique_ptr<host::ByteStream> wire = connection->end(answering);
  host::PeerReply opened = connection->end(calling);
  done(std::move(opened));
  co_await host::relay(*wire, *served);
}

/// At the receiving side. The answer travels by a world timer: the caller may be gone by then, or the world may have lost it.
void SimPeer::arrive(const std::string& where, host::PeerEndpoint peer, host::HttpRequest request, bool lose_answer, Answer reply) {
  const auto listener = world_.listeners_.find(where);
  if (listener == world_.listeners_.end() || world_.cut) return reply(unreachable());
  SimPeer& there = *listener->second;
  if (!peer.fingerprint.empty() && there.own_ != peer.fingerprint) return reply(Error(ErrorCode::peer_key_mismatch, "the peer shows another key"));
  Scheduler& scheduler = scheduler_;
  SimPeerWorld& world = world_;
  auto done = [&scheduler, &world, lose_answer, reply](host::PeerReply answer) {
    const milliseconds back(scheduler.chance().between(1, world.slowest_ms));
    scheduler.after(0, back, [&world, lose_answer, reply, answer = std::move(answer)]() mutable {
      if (!lose_answer && !world.cut) reply(std::move(answer));
    });
  };
  std::function<void(host::PeerReply)> finish = std::move(done);
  there.handlers_.spawn(there.serve(there.handler_, own_, owner_, std::move(request), std::move(finish)));
}

/// A machine with power answers also where no daemon listens: it refuses.
boost::asio::awaitable<bool> SimPeer::answers(host::PeerEndpoint peer, milliseconds deadline) {
  std::function<void(Reply<bool>)> begin = [this, peer, deadline](Reply<bool> reply) {
    const bool silent = world_.cut || world_.powered_off.contains(peer.address) || is_mute(peer.address) || is_mute(own_address());
    const Time after = silent ? Time(deadline) : Time(milliseconds(scheduler_.chance().between(1, world_.slowest_ms)));
    scheduler_.after(owner_, after, [reply, silent]() { reply(!silent); });
  };
  co_return co_await await_reply<bool>(scheduler_, owner_, std::move(begin));
}

boost::asio::awaitable<Result<host::PeerReply>> SimPeer::upgrade(host::PeerEndpoint peer, host::HttpRequest request, milliseconds deadline) {
  std::function<void(Answer)> begin = [this, peer, request, deadline](Answer reply) {
    Chance& chance = scheduler_.chance();
    const std::string where = fmt::format("{}:{}", peer.address, peer.port);
    const milliseconds there(chance.between(1, world_.slowest_ms));
    const bool refuse = chance.percent(world_.refuse_percent);
    const bool lose_request = chance.percent(world_.lose_request_percent) || is_mute(own_address());
    const bool lose_answer = chance.percent(world_.lose_answer_percent) || is_mute(peer.address);
    const auto listener = world_.listeners_.find(where);
    if (world_.late_percent != 0 && listener != world_.listeners_.end() && chance.percent(world_.late_percent)) {
      // The first copy is lost half of the time; the one that comes late is carried out, and nobody waits for its answer. It comes by the
      // connection it was sent on, so never to another life of that daemon.
      const Time late = Time(deadline) + milliseconds(chance.between(1, 20'000));
      const Owner life = listener->second->owner_;
      scheduler_.after(owner_, late, [this, where, peer, request, life]() {
        const auto now = world_.listeners_.find(where);
        if (now != world_.listeners_.end() && now->second->owner_ == life) arrive(where, peer, request, true, Answer(std::shared_ptr<Answer::State>()));
      });
      if (chance.one_in(2)) {
        scheduler_.after(owner_, deadline, [reply]() { reply(unknown()); });
        return;
      }
    }
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
  co_return co_await await_reply<Result<host::PeerReply>>(scheduler_, owner_, std::move(begin));
}

boost::asio::awaitable<Result<host::HttpResponse>> SimPeer::call(host::PeerEndpoint peer, host::HttpRequest request, milliseconds deadline) {
  MCV_CO_TRY(host::PeerReply reply, co_await upgrade(std::move(peer), std::move(request), deadline));
  co_return std::get<host::HttpResponse>(std::move(reply));
}

std::shared_ptr<SimPeerConnection> SimPeerWorld::connect(Owner calls, Owner answers) {
  // A stream is acknowledged both ways: one way that is lost stops it.
  SimPeerConnection::Link link{[this]() { return cut || !mute.empty(); }, slowest_ms};
  auto made = std::make_shared<SimPeerConnection>(scheduler_, std::array{calls, answers}, std::move(link));
  made->watch();
  return made;
}

}  // namespace mcv::sim
