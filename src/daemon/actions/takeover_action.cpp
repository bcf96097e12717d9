// SPDX-License-Identifier: Apache-2.0
// vm.take_over: the owner of a VM changes by this node's decision alone, and the last Primary with it, in one change.
#include <fmt/format.h>

#include "cluster/authority/takeover.h"
#include "daemon/actions/actions.h"
#include "daemon/node/node.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

struct TakeOver {
  VmName vm;
  std::string from;
  std::vector<std::string> volumes;
  std::string change_id;
};

Result<TakeOver> params_of(const StepContext& context) {
  Fields fields(context.params, "take over");
  const auto vm = fields.required<std::string>("vm");
  TakeOver params;
  params.from = fields.required<std::string>("from");
  params.volumes = fields.required<std::vector<std::string>>("volumes");
  MCV_CHECK(fields.finish());
  MCV_TRY(params.vm, VmName::parse(vm));
  params.change_id = fmt::format("{}/{}", context.operation.str(), context.step);
  return params;
}

Change change_of(const TakeOver& params, const NodeName& self) {
  Change change;
  change.id = params.change_id;
  change.summary = fmt::format("take {} over from {}", params.vm.str(), params.from);
  Json owner = {{"owner", self.str()}};
  Json before = {{"owner", params.from}};
  change.mutations.push_back(patch(Kind::vm, params.vm.str(), std::move(owner), std::move(before)));
  for (const std::string& volume : params.volumes) {
    Json primary = {{"last_primary", self.str()}};
    change.mutations.push_back(patch(Kind::volume, volume, std::move(primary)));
  }
  return change;
}

asio::awaitable<Result<Json>> run(Node& node, StepContext context) {
  MCV_CO_TRY(const TakeOver params, params_of(context));
  MCV_CO_TRY(const Outcome before, co_await node.shared.outcome(params.change_id));
  if (before.state == ChangeOutcome::committed) co_return Json();
  const bool answers = co_await node.authority.peer_answers();
  MCV_CO_TRY(const VmRecord vm, node.shared.current().vm(params.vm));
  const authority::Standpoint now = node.authority.standpoint();
  const std::map<std::string, VolumeFacts> here = node.drbd.volumes();
  const authority::TakeOverQuestion question{now, node.shared.current(), vm, here, answers};
  MCV_CO_CHECK(authority::may_take_over(question));
  Change change = change_of(params, node.self());
  // Contact that comes meanwhile refuses it: then the other node lives, and may run the VM.
  MCV_CO_TRY(const Committed done, co_await node.shared.propose_alone(std::move(change)));
  Json result = {{"generation", done.generation.counter}};
  co_return result;
}

/// The VM goes back to its owner: its guest here was ended and its disks closed before.
asio::awaitable<Status> undo(Node& node, StepContext context) {
  MCV_CO_TRY(const TakeOver params, params_of(context));
  MCV_CO_TRY(const Outcome outcome, co_await node.shared.outcome(params.change_id));
  if (outcome.state == ChangeOutcome::undecided) co_return Error(ErrorCode::outcome_unknown, "the other node has to say whether the change was made");
  if (outcome.state != ChangeOutcome::committed) co_return success();
  const auto vm = node.shared.current().vm(params.vm);
  if (!vm.ok() || vm->owner != node.self()) co_return success();
  Change reverse;
  reverse.id = params.change_id + "/undo";
  reverse.summary = fmt::format("undo: take {} over from {}", params.vm.str(), params.from);
  Json owner = {{"owner", params.from}};
  Json before = {{"owner", node.self().str()}};
  reverse.mutations.push_back(patch(Kind::vm, params.vm.str(), std::move(owner), std::move(before)));
  auto proposed = co_await node.shared.propose(std::move(reverse));
  if (!proposed.ok()) co_return std::move(proposed).error();
  co_return success();
}

}  // namespace

void add_takeover_action(Node& node) { add_action(node, "vm.take_over", {run, undo, never_asked}); }

}  // namespace mcv
