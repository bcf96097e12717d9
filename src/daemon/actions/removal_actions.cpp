// SPDX-License-Identifier: Apache-2.0
// remove.*: a member goes for good. All but the look at the leaver runs on the node that stays.
#include <fmt/format.h>

#include "cluster/authority/alone_since.h"
#include "cluster/authority/removal.h"
#include "cluster/membership/corosync_service.h"
#include "daemon/actions/actions.h"
#include "daemon/actions/step_params.h"
#include "daemon/node/node.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

using std::chrono::seconds;

/// A leaver that does not hear is not waited for longer: it asks by itself.
constexpr host::Duration tell_bound = seconds(60);
constexpr host::Duration tell_pause = seconds(2);
constexpr std::size_t drbd_secret_bytes = 24;

Result<NodeRecord> leaver_of(const StepContext& context) { return record_in<NodeRecord>(context, "leaver"); }

/// Of the look before, which takes place on both nodes.
Result<NodeName> leaver_by_name(const StepContext& context) {
  Fields fields(context.params, "step");
  const auto name = fields.required<std::string>("leaver");
  MCV_CHECK(fields.finish());
  return NodeName::parse(name);
}

/// Whether it is removed without being asked.
Result<bool> is_dead(const StepContext& context) {
  Fields fields(context.params, "step");
  const bool dead = fields.optional_or("dead", false);
  MCV_CHECK(fields.finish_lenient());
  return dead;
}

std::string change_id(const StepContext& context) { return context.operation.str() + "/remove"; }

Error not_yet(ErrorCode code, std::string text, std::string next) { return Error(code, std::move(text)).with_safe("nothing was changed").with_next(std::move(next)); }

/// Nothing new begins here since the announcement; what had begun before must be over.
Status nothing_runs(const Node& node) {
  if (node.operations.running() > 0) return not_yet(ErrorCode::busy, fmt::format("operations run on {}", node.self().str()), fmt::format("on {}: hvctl op list", node.self().str()));
  if (!node.starting->empty()) return not_yet(ErrorCode::busy, fmt::format("{} is being started on {}", node.starting->begin()->str(), node.self().str()), "hvctl op list");
  for (const auto& [name, facts] : node.guests.facts()) {
    if (facts.state == RunState::stopped) continue;
    return not_yet(ErrorCode::guest_running, fmt::format("{} runs on {}", name, node.self().str()), fmt::format("hvctl vm stop {}", name));
  }
  for (const auto& [name, facts] : node.drbd.volumes()) {
    if (facts.role == DiskRole::primary) return not_yet(ErrorCode::device_busy, fmt::format("{} is open for writing on {}", name, node.self().str()), "hvctl drbd list");
  }
  return success();
}

asio::awaitable<Result<Json>> ready(Node& node, StepContext context) {
  MCV_CO_TRY(const NodeName leaver, leaver_by_name(context));
  const bool replicates = node.shared.current().setting("drbd") == "enabled";
  if (replicates && !node.drbd.complete()) co_return not_yet(ErrorCode::no_authority, fmt::format("what DRBD does on {} is not known yet", node.self().str()), "hvctl drbd list");
  if (leaver == node.self()) {
    MCV_CO_CHECK(nothing_runs(node));
    co_return Json();
  }
  // This operation is one of those.
  if (node.operations.running() > 1) co_return not_yet(ErrorCode::busy, fmt::format("operations run on {}", node.self().str()), "hvctl op list");
  MCV_CO_CHECK(authority::copies_may_stay_alone(node.authority.standpoint(), node.shared.current(), node.drbd.volumes()));
  co_return Json();
}

Change change_of(const Node& node, const StepContext& context, const NodeRecord& leaver) {
  Change change;
  change.id = change_id(context);
  change.summary = fmt::format("{} is removed from the cluster", leaver.name.str());
  change.mutations = removal_mutations(node.shared.current(), leaver, node.self(), context.operation, stamp_of(node.shared.position()));
  return change;
}

asio::awaitable<Result<Json>> commit(Node& node, StepContext context) {
  MCV_CO_TRY(const NodeRecord leaver, leaver_of(context));
  MCV_CO_TRY(const bool dead, is_dead(context));
  if (!node.member(leaver.name).ok()) co_return Json();
  if (dead) {
    MCV_CO_CHECK(co_await node.authority.may_remove_dead());
  }
  Change change = change_of(node, context, leaver);
  if (dead) {
    MCV_CO_CHECK(co_await node.shared.propose_alone(std::move(change)));
  } else {
    MCV_CO_CHECK(co_await node.shared.propose(std::move(change)));
  }
  co_return Json();
}

asio::awaitable<Result<Landed>> commit_landed(Node& node, StepContext context) {
  MCV_CO_TRY(const NodeRecord leaver, leaver_of(context));
  MCV_CO_TRY(const Outcome outcome, co_await node.shared.outcome(change_id(context)));
  switch (outcome.state) {
    case ChangeOutcome::committed: co_return Landed::yes;
    case ChangeOutcome::not_applied: co_return Landed::no;
    case ChangeOutcome::undecided: co_return Landed::not_yet;
    case ChangeOutcome::forgotten: co_return node.member(leaver.name).ok() ? Landed::no : Landed::yes;
  }
  co_return Landed::not_yet;
}

/// Its answer is worth waiting for, not worth failing for: what it does not hear now it asks for as soon as it lives.
asio::awaitable<Result<Json>> tell(Node& node, StepContext context) {
  MCV_CO_TRY(const NodeRecord leaver, leaver_of(context));
  const auto removed = removed_by_key(node.shared.current(), leaver.fingerprint);
  if (!removed) co_return Json();
  const host::Instant deadline = node.host.clock.now() + tell_bound;
  std::string why;
  while (node.host.clock.now() < deadline && !context.interrupted()) {
    Json body = {{"removed", removed->to_json()}};
    auto answer = co_await node.peer.post(leaver, "/peer/v1/removed", std::move(body), PeerClient::patient);
    // A blank node knows nobody.
    const bool blank = answer.ok() || answer.error().code() == ErrorCode::permission_denied;
    Json result = {{"blank", true}};
    if (blank) co_return result;
    why = answer.error().message();
    context.progress(std::nullopt, fmt::format("{}: {}", leaver.name.str(), why));
    co_await node.host.clock.sleep_for(tell_pause);
  }
  Json result = {{"blank", false}, {"why", why}, {"text", fmt::format("{} has not said that it is blank; it becomes so by itself when it hears from this node", leaver.name.str())}};
  co_return result;
}

/// A cluster of one. What the removed node knew opens nothing any more.
asio::awaitable<Result<Json>> alone(Node& node, StepContext context) {
  MCV_CO_TRY(const NodeRecord leaver, leaver_of(context));
  co_await node.shared.stop_group();
  MCV_CO_CHECK(co_await ensure_corosync_gone(node.host.processes, node.host.files));
  MCV_CO_CHECK(co_await node.secrets.remove(secret_names::corosync));
  if (node.secrets.get(secret_names::drbd)) {
    MCV_CO_CHECK(co_await node.secrets.set(secret_names::drbd, node.host.random.hex(drbd_secret_bytes)));
  }
  // What it went on with alone, and that it ended, stays part of the generations' story.
  std::set<std::string> kept = {authority::alone_since_kind, authority::alone_withdrawn_kind};
  MCV_CO_CHECK(co_await node.records.forget_node(leaver.name.str(), std::move(kept)));
  node.authority.look_soon();
  Json told = Json();
  for (const Json& result : context.results) {
    if (result.is_object() && result.contains("blank")) told = result;
  }
  Json result = {{"removed", leaver.name.str()}, {"leaver", told}};
  co_return result;
}

}  // namespace

void add_removal_actions(Node& node) {
  add_action(node, "remove.ready", {ready, nothing_to_undo, never_asked});
  add_action(node, "remove.commit", {commit, nothing_to_undo, commit_landed});
  add_action(node, "remove.tell", {tell, nothing_to_undo, never_asked});
  add_action(node, "remove.alone", {alone, nothing_to_undo, never_asked});
}

}  // namespace mcv
