// SPDX-License-Identifier: Apache-2.0
#include "daemon/join/join_watch.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <utility>

#include "cluster/core/json_value.h"
#include "cluster/plans/cluster_plans.h"
#include "daemon/node/node.h"
#include "storage/lvm/pool.h"

namespace mcv::join {

namespace asio = boost::asio;

namespace {

using namespace std::chrono_literals;

/// The inviter called just now; and a join that goes well ends within it.
constexpr host::Duration pause_between_questions = 10s;

constexpr std::array words = {
    std::pair{InviterSays::silent, std::string_view("silent")},
    std::pair{InviterSays::under_way, std::string_view("under-way")},
    std::pair{InviterSays::member, std::string_view("member")},
    std::pair{InviterSays::nothing, std::string_view("nothing")},
};

Error in_a_cluster(const Node& node) {
  return Error(ErrorCode::already_clustered, fmt::format("{} has taken over the cluster's configuration: it is a member", node.self().str()))
      .with_safe("nothing was changed")
      .with_next("hvctl info");
}

Error still_freeing(const Node& node) {
  return Error(ErrorCode::busy, fmt::format("{} is being made blank again", node.self().str())).with_safe("nothing was changed").with_next("hvctl info");
}

}  // namespace

std::string_view to_text(InviterSays says) {
  for (const auto& [value, word] : words) {
    if (value == says) return word;
  }
  return "silent";
}

InviterSays inviter_says_from_text(std::string_view text) {
  for (const auto& [value, word] : words) {
    if (word == text) return value;
  }
  return InviterSays::silent;
}

void JoinWatch::begin() {
  if (asking_ || !node_.reservation.kept()) return;
  asking_ = true;
  says_ = InviterSays::silent;
  node_.tasks.spawn(ask_until_it_ended());
}

asio::awaitable<void> JoinWatch::ask_until_it_ended() {
  while (node_.reservation.kept()) {
    if (node_.reservation.inviter() != nullptr) {
      co_await node_.host.clock.sleep_for(pause_between_questions);
      if (node_.reservation.inviter() == nullptr) continue;
      says_ = co_await ask();
      if (says_ != InviterSays::nothing) continue;
      spdlog::info("{} has no join with this node any more", node_.reservation.kept() ? node_.reservation.kept()->inviter.name.str() : "the inviter");
    }
    const Status freed = co_await free();
    if (freed.ok()) break;
    spdlog::warn("this node is not blank again yet: {}", freed.error().to_text());
    co_await node_.host.clock.sleep_for(pause_between_questions);
  }
  asking_ = false;
}

asio::awaitable<InviterSays> JoinWatch::ask() {
  NodeRecord inviter = *node_.reservation.inviter();
  const Result<Json> answer = co_await node_.peer.post(std::move(inviter), "/peer/v1/join/state", Json::object(), PeerClient::quick);
  if (!answer.ok()) co_return InviterSays::silent;
  co_return inviter_says_from_text(value_in(*answer, "state", ""));
}

asio::awaitable<Status> JoinWatch::free() {
  if (node_.shared.current().is_cluster()) co_return in_a_cluster(node_);
  if (adopting_ > 0 || freeing_) co_return still_freeing(node_);
  if (!node_.reservation.kept()) co_return success();
  freeing_ = true;
  const Status removed = co_await remove_what_was_made();
  freeing_ = false;
  if (removed.ok()) spdlog::info("this node is blank again: the join has ended");
  co_return removed;
}

asio::awaitable<Status> JoinWatch::remove_what_was_made() {
  MCV_CO_CHECK(co_await node_.reservation.give_up());
  node_.invitations.withdraw();
  const std::vector<PoolRecord> made = node_.reservation.kept()->pools;
  for (const PoolRecord& record : made) {
    lvm::Pool pool = lvm::pool_on(record, node_.self());
    MCV_CO_CHECK(co_await lvm::remove_pool(node_.host, std::move(pool)));
  }
  co_return co_await node_.reservation.clear();
}

asio::awaitable<Status> JoinWatch::may_abandon() {
  if (node_.shared.current().is_cluster()) co_return in_a_cluster(node_);
  if (!node_.reservation.kept()) {
    co_return Error(ErrorCode::not_found, fmt::format("no join is under way on {}", node_.self().str())).with_safe("nothing was changed").with_next("hvctl info");
  }
  if (node_.reservation.inviter() != nullptr) {
    NodeRecord inviter = *node_.reservation.inviter();
    const std::string name = inviter.name.str();
    const Result<Json> pong = co_await node_.peer.post(std::move(inviter), "/peer/v1/ping", Json::object(), PeerClient::quick);
    if (pong.ok()) {
      co_return Error(ErrorCode::peer_answers, fmt::format("{} answers, and finishes or undoes the join itself", name))
          .with_safe("nothing was changed")
          .with_next(fmt::format("on {}: hvctl op list, then hvctl op cancel or hvctl op retry", name));
    }
  }
  co_return success();
}

Status may_change(const Node& node, const std::string& method, const std::string& target) {
  if (method == "GET" || !node.reservation.kept() || node.shared.current().is_cluster()) return success();
  for (const std::string_view possible : {"/v1/cluster/join/abandon", "/v1/operations", "/v1/node/leave"}) {
    if (target.starts_with(possible)) return success();
  }
  const std::string inviter = node.reservation.kept()->inviter.name.str();
  return Error(ErrorCode::busy, fmt::format("{} is reserved for the cluster of {} until that join has ended", node.self().str(), inviter))
      .with_safe("nothing was changed")
      .with_next(fmt::format("on {}: hvctl op list; or, when {} is gone for good: hvctl cluster join --abandon", inviter, inviter));
}

asio::awaitable<Result<Json>> serve_state(Node& node, host::KeyFingerprint caller) {
  InviterSays says = InviterSays::nothing;
  const auto is_caller = [&](const NodeRecord& record) { return record.name != node.self() && record.fingerprint == caller; };
  const auto may_go_on = [](const OperationView& view) {
    return view.kind == plans::join_kind && view.may_go_on();
  };
  if (std::ranges::any_of(node.shared.current().nodes(), is_caller)) says = InviterSays::member;
  else if (!node.has_resumed()) says = InviterSays::silent;
  else if (std::ranges::any_of(node.operations.list(), may_go_on)) says = InviterSays::under_way;
  Json answer = {{"state", to_text(says)}};
  co_return answer;
}

}  // namespace mcv::join
