// SPDX-License-Identifier: Apache-2.0
#include "daemon/join/join_service.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "cluster/membership/corosync_config.h"
#include "cluster/membership/corosync_service.h"
#include "cluster/model/ports.h"
#include "daemon/join/hex.h"
#include "daemon/node/node.h"
#include "storage/lvm/pool.h"

namespace mcv::join {

namespace asio = boost::asio;

namespace {

Status still_blank(const Node& node) {
  const ClusterState& state = node.shared.current();
  if (state.is_cluster()) {
    return Error(ErrorCode::already_clustered, fmt::format("{} is in a cluster already", node.self().str())).with_next("hvctl info there shows which");
  }
  if (const auto own = own_objects(state); !own.empty()) {
    return Error(ErrorCode::not_blank, fmt::format("{} has a configuration of its own: {}", node.self().str(), fmt::join(own, ", ")))
        .with_safe("it is kept")
        .with_next("delete it there, or run the join there instead");
  }
  return success();
}

bool adopted_from(const Node& node, const NodeRecord& inviter) { return node.shared.current().is_cluster() && node.member(inviter.name).ok(); }

}  // namespace

asio::awaitable<Status> start_corosync(Node& node, std::string key) {
  MCV_CO_TRY(CorosyncConfig config, corosync_config_of(node.shared.current()));
  MCV_CO_TRY(const Written written, co_await ensure_corosync_configured(node.host.files, std::move(config), std::move(key)));
  co_return co_await ensure_corosync_running(node.host.processes, written);
}

/// Nothing of mcv listens there before the first volume; a machine whose firewall lets DRBD in refuses all the same.
asio::awaitable<std::optional<bool>> reaches_replication(Node& node, NodeRecord other) {
  if (other.drbd_address.empty()) co_return std::nullopt;
  constexpr std::chrono::seconds bound{3};
  host::PeerEndpoint endpoint{other.drbd_address, first_drbd_port, other.fingerprint};
  const bool answers = co_await node.host.peers.answers(std::move(endpoint), bound);
  co_return answers;
}

asio::awaitable<Result<Json>> serve_hello(Node& node, host::KeyFingerprint caller, Json body) {
  Fields fields(body, "hello");
  const auto token = fields.required<std::string>("token");
  const Json* inviter = fields.object("node");
  MCV_CO_CHECK(fields.finish());
  MCV_CO_TRY(NodeRecord record, NodeRecord::from_json(*inviter));
  MCV_CO_CHECK(node.invitations.redeem(token, caller));
  // The way back is tried with the key that just proved itself, not with one from the body.
  record.fingerprint = caller;
  auto pong = co_await node.peer.post(record, "/peer/v1/ping", Json::object(), PeerClient::quick);
  if (!pong.ok() && pong.error().code() != ErrorCode::removed) spdlog::warn("{} asks to add this node but is not reachable from here: {}", record.name.str(), pong.error().message());
  MCV_CO_TRY(JoinFacts facts, co_await node.join_facts());
  // A node that removed this one says so, and nothing else.
  facts.calls_back = pong.ok() || pong.error().code() == ErrorCode::removed;
  facts.reaches_drbd = co_await reaches_replication(node, record);
  co_return to_json(facts);
}

asio::awaitable<Result<Json>> serve_prepare(Node& node, Json body) {
  Fields fields(body, "prepare");
  const Json* inviter_json = fields.object("inviter");
  MCV_CO_CHECK(fields.finish());
  MCV_CO_TRY(NodeRecord inviter, NodeRecord::from_json(*inviter_json));
  if (adopted_from(node, inviter)) co_return Json::object();
  MCV_CO_CHECK(still_blank(node));
  if (node.operations.running() > 0 || node.join_watch.is_freeing()) {
    co_return Error(ErrorCode::busy, fmt::format("{} is in the middle of another operation", node.self().str())).with_safe("it goes on").with_next(fmt::format("on {}: hvctl op list", node.self().str()));
  }
  MCV_CO_CHECK(co_await node.reservation.make(std::move(inviter)));
  // Changes are refused from here on; one that was on its way before shows now.
  Status blank = still_blank(node);
  if (blank.ok() && node.operations.running() > 0) blank = Error(ErrorCode::busy, fmt::format("{} began another operation", node.self().str())).with_next(fmt::format("on {}: hvctl op list", node.self().str()));
  if (!blank.ok()) {
    MCV_CO_CHECK(co_await node.join_watch.free());
    co_return std::move(blank).error();
  }
  node.join_watch.begin();
  co_return Json::object();
}

asio::awaitable<Result<Json>> serve_abandon(Node& node, Json) {
  // What is given up is removed by itself; the inviter need not wait for it.
  const bool going = node.join_watch.is_freeing() && node.reservation.inviter() == nullptr;
  if (!going) {
    MCV_CO_CHECK(co_await node.join_watch.free());
  }
  node.invitations.withdraw();
  co_return Json::object();
}

asio::awaitable<Result<Json>> serve_pool(Node& node, Json body) {
  Fields fields(body, "pool");
  const Json* pool_json = fields.object("pool");
  const bool remove = fields.optional_or("remove", false);
  const auto bytes = fields.optional<std::uint64_t>("size");
  MCV_CO_CHECK(fields.finish());
  MCV_CO_TRY(const PoolRecord record, PoolRecord::from_json(*pool_json));
  const lvm::Pool pool = lvm::pool_on(record, node.self());
  if (remove) {
    // A pool of this node's configuration was here before the join, or is of one that was committed since: an undo that comes late.
    const bool own = node.shared.current().pool(record.name).ok();
    if (own) co_return Json::object();
    const Status removed = co_await lvm::remove_pool(node.host, pool);
    // Nothing of a join is in it yet: a pool that holds something, copies in quarantine say, was here before.
    if (!removed.ok() && removed.error().code() != ErrorCode::in_use) co_return removed.error();
    MCV_CO_CHECK(co_await node.reservation.forget_pool(record.name));
    co_return Json::object();
  }
  if (const auto there = co_await lvm::pool_usage(node.host, pool); !there.ok()) {
    MCV_CO_CHECK(co_await node.reservation.note_pool(record));
  }
  std::optional<Bytes> size;
  if (bytes) size = Bytes(*bytes);
  MCV_CO_TRY(const bool created, co_await lvm::ensure_pool(node.host, pool, size));
  Json answer = {{"created", created}};
  co_return answer;
}

asio::awaitable<Result<Json>> serve_corosync(Node& node, Json body) {
  Fields fields(body, "corosync");
  const auto key_hex = fields.required<std::string>("key");
  MCV_CO_CHECK(fields.finish());
  MCV_CO_TRY(std::string key, bytes_of_hex(key_hex));
  MCV_CO_CHECK(co_await start_corosync(node, std::move(key)));
  co_return Json::object();
}

asio::awaitable<Result<Json>> serve_adopt(Node& node, Json body) {
  Fields fields(body, "adopt");
  const Json* snapshot = fields.object("snapshot");
  const Json* inviter_json = fields.object("inviter");
  const auto drbd_secret = fields.optional<std::string>("drbd_secret");
  MCV_CO_CHECK(fields.finish());
  MCV_CO_TRY(const NodeRecord inviter, NodeRecord::from_json(*inviter_json));
  if (node.join_watch.is_freeing()) co_return Error(ErrorCode::busy, fmt::format("{} is being made blank again", node.self().str())).with_next(fmt::format("on {}: hvctl info", node.self().str()));
  const JoinWatch::Adopting adopting(node.join_watch);
  if (drbd_secret) {
    MCV_CO_CHECK(co_await node.secrets.set(secret_names::drbd, *drbd_secret));
  }
  if (!adopted_from(node, inviter)) {
    MCV_CO_CHECK(still_blank(node));
    Json copy = *snapshot;
    MCV_CO_CHECK(co_await node.shared.adopt(std::move(copy)));
  }
  MCV_CO_CHECK(co_await node.shared.start_group());
  if (node.shared.current().setting("drbd") == "enabled") {
    MCV_CO_CHECK(co_await node.ensure_drbd());
  }
  MCV_CO_CHECK(co_await node.reservation.clear());
  node.invitations.withdraw();
  co_return Json::object();
}

}  // namespace mcv::join
