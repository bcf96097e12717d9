// SPDX-License-Identifier: Apache-2.0
// join.*: the side of the node that is there already. Each asks the joiner over the peer link.
#include <fmt/format.h>

#include "cluster/core/json_value.h"
#include "cluster/membership/corosync_config.h"
#include "cluster/model/removal.h"
#include "daemon/actions/actions.h"
#include "daemon/actions/step_params.h"
#include "daemon/join/hex.h"
#include "daemon/join/join_service.h"
#include "daemon/node/node.h"
#include "storage/lvm/pool.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

Result<NodeRecord> joiner_of(const StepContext& context) { return record_in<NodeRecord>(context, "joiner"); }

/// One request to the joiner; the answer does not matter beyond success.
asio::awaitable<Status> tell(Node& node, NodeRecord joiner, std::string target, Json body) {
  auto answer = co_await node.peer.post(std::move(joiner), std::move(target), std::move(body), PeerClient::patient);
  if (!answer.ok()) co_return std::move(answer).error();
  co_return success();
}

/// Of an undo: a joiner that does not know this node was never reserved, lost the invitation in a restart, or is free again, and
/// then it has removed itself what the join made there.
Status unless_free(const Status& told) {
  if (!told.ok() && told.error().code() == ErrorCode::permission_denied) return success();
  return told;
}

asio::awaitable<Result<Json>> prepare(Node& node, StepContext context) {
  MCV_CO_TRY(const NodeRecord joiner, joiner_of(context));
  MCV_CO_TRY(const NodeRecord here, node.own_record());
  Json body = {{"inviter", here.to_json()}};
  MCV_CO_CHECK(co_await tell(node, joiner, "/peer/v1/join/prepare", std::move(body)));
  co_return Json();
}

asio::awaitable<Status> undo_prepare(Node& node, StepContext context) {
  MCV_CO_TRY(const NodeRecord joiner, joiner_of(context));
  const Status told = co_await tell(node, joiner, "/peer/v1/join/abandon", Json::object());
  co_return unless_free(told);
}

asio::awaitable<Result<Json>> pool(Node& node, StepContext context) {
  MCV_CO_TRY(const NodeRecord joiner, joiner_of(context));
  MCV_CO_TRY(const PoolRecord record, record_in<PoolRecord>(context, "pool"));
  Json body = {{"pool", record.to_json()}};
  if (record.kind == PoolKind::thin) {
    // As large as here, whatever was asked for when it was made.
    lvm::Pool ours = lvm::pool_on(record, node.self());
    MCV_CO_TRY(const lvm::PoolUsage usage, co_await lvm::pool_usage(node.host, std::move(ours)));
    body["size"] = usage.size.count();
  }
  MCV_CO_TRY(Json answer, co_await node.peer.post(joiner, "/peer/v1/join/pool", std::move(body), PeerClient::patient));
  co_return answer;
}

asio::awaitable<Status> undo_pool(Node& node, StepContext context) {
  MCV_CO_TRY(const NodeRecord joiner, joiner_of(context));
  MCV_CO_TRY(const PoolRecord record, record_in<PoolRecord>(context, "pool"));
  // Also when nobody heard whether it was made. What belongs to the joiner, the joiner keeps.
  Json body = {{"pool", record.to_json()}, {"remove", true}};
  const Status told = co_await tell(node, joiner, "/peer/v1/join/pool", std::move(body));
  co_return unless_free(told);
}

std::string commit_id(const StepContext& context) { return context.operation.str() + "/join"; }

asio::awaitable<Result<Json>> commit(Node& node, StepContext context) {
  MCV_CO_TRY(const NodeRecord joiner, joiner_of(context));
  if (node.member(joiner.name).ok()) co_return Json();
  // It may have been abandoned there while this node was away.
  MCV_CO_TRY(const NodeRecord here, node.own_record());
  Json body = {{"inviter", here.to_json()}};
  MCV_CO_CHECK(co_await tell(node, joiner, "/peer/v1/join/prepare", std::move(body)));
  Change change;
  change.id = commit_id(context);
  change.summary = fmt::format("{} joins the cluster", joiner.name.str());
  change.mutations.push_back(put_new(joiner));
  if (auto known = forget_removal(node.shared.current(), joiner.fingerprint)) change.mutations.push_back(std::move(*known));
  MCV_CO_CHECK(co_await node.shared.propose(std::move(change)));
  co_return Json();
}

asio::awaitable<Result<Landed>> commit_landed(Node& node, StepContext context) {
  MCV_CO_TRY(const NodeRecord joiner, joiner_of(context));
  if (node.member(joiner.name).ok()) co_return Landed::yes;
  // A store that failed in the commit may hold it all the same: only the next start of mcvd reads which.
  MCV_CO_TRY(const Outcome outcome, co_await node.shared.outcome(commit_id(context)));
  co_return outcome.state == ChangeOutcome::undecided ? Landed::not_yet : Landed::no;
}

asio::awaitable<Result<Json>> corosync(Node& node, StepContext context) {
  MCV_CO_TRY(const NodeRecord joiner, joiner_of(context));
  auto key_hex = node.secrets.get(secret_names::corosync);
  if (!key_hex) {
    key_hex = join::hex_of(make_corosync_key(node.host.random));
    MCV_CO_CHECK(co_await node.secrets.set(secret_names::corosync, *key_hex));
  }
  MCV_CO_TRY(std::string key, join::bytes_of_hex(*key_hex));
  Json body = {{"key", *key_hex}};
  MCV_CO_CHECK(co_await tell(node, joiner, "/peer/v1/join/corosync", std::move(body)));
  MCV_CO_CHECK(co_await join::start_corosync(node, std::move(key)));
  co_return Json();
}

asio::awaitable<Result<Json>> adopt(Node& node, StepContext context) {
  MCV_CO_TRY(const NodeRecord joiner, joiner_of(context));
  MCV_CO_TRY(const NodeRecord here, node.own_record());
  Json body = {{"snapshot", node.shared.snapshot()}, {"inviter", here.to_json()}};
  if (const auto secret = node.secrets.get(secret_names::drbd)) body["drbd_secret"] = *secret;
  MCV_CO_CHECK(co_await tell(node, joiner, "/peer/v1/join/adopt", std::move(body)));
  co_return Json();
}

asio::awaitable<Result<Json>> together(Node& node, StepContext context) {
  MCV_CO_CHECK(co_await node.shared.start_group());
  context.progress(std::nullopt, "waiting until both daemons share the log");
  const bool together_now = co_await node.shared.wait_together(std::chrono::seconds(60));
  if (!together_now) {
    co_return Error(ErrorCode::peer_unreachable, fmt::format("the other node is a member, but the two do not share the log yet: {}", node.shared.link().reason))
        .with_safe("guests run on; changes are refused until both nodes are together")
        .with_next("on both nodes: systemctl status corosync; then hvctl info");
  }
  Json result = {{"suitability", value_in(context.params, "suitability", Json::array())}};
  co_return result;
}

}  // namespace

void add_join_actions(Node& node) {
  add_action(node, "join.prepare", {prepare, undo_prepare, never_asked});
  add_action(node, "join.pool", {pool, undo_pool, never_asked});
  add_action(node, "join.commit", {commit, nothing_to_undo, commit_landed});
  add_action(node, "join.corosync", {corosync, nothing_to_undo, never_asked});
  add_action(node, "join.adopt", {adopt, nothing_to_undo, never_asked});
  add_action(node, "join.together", {together, nothing_to_undo, never_asked});
}

}  // namespace mcv
