// SPDX-License-Identifier: Apache-2.0
// record: proposes a change of the shared configuration.
#include <fmt/format.h>

#include "daemon/actions/actions.h"
#include "daemon/node/node.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

/// The same for every attempt of this step: the log applies one id once.
std::string change_id(const StepContext& context) { return fmt::format("{}/{}", context.operation.str(), context.step); }

Result<Change> change_of(const StepContext& context) {
  Fields fields(context.params, "record");
  Change change;
  change.id = change_id(context);
  change.summary = fields.required<std::string>("summary");
  const Json* list = fields.array("mutations");
  static_cast<void>(fields.array("reverse", false));
  MCV_CHECK(fields.finish());
  for (const Json& item : *list) {
    MCV_TRY(Mutation mutation, Mutation::from_json(item));
    change.mutations.push_back(std::move(mutation));
  }
  return change;
}

/// The volumes of the change as they are recorded now: later steps need their numbers, and on the other node the commit
/// may arrive after the step's request.
Json recorded_volumes(const ClusterState& state, const Change& change) {
  Json volumes = Json::object();
  for (const Mutation& mutation : change.mutations) {
    const ClusterState::Entry* entry = mutation.kind == Kind::volume ? state.find(Kind::volume, mutation.key) : nullptr;
    if (entry != nullptr) volumes[mutation.key] = entry->value;
  }
  return {{"volumes", volumes}};
}

asio::awaitable<Result<Json>> run(Node& node, StepContext context) {
  MCV_CO_TRY(Change change, change_of(context));
  const Change copy = change;
  MCV_CO_CHECK(co_await node.shared.propose(std::move(change)));
  co_return recorded_volumes(node.shared.current(), copy);
}

asio::awaitable<Status> undo(Node& node, StepContext context) {
  MCV_CO_TRY(const Change change, change_of(context));
  // Only what this very change created is deleted: had it been refused because the name was taken, the object is another's.
  MCV_CO_TRY(const Outcome outcome, co_await node.shared.outcome(change.id));
  if (outcome.state == ChangeOutcome::undecided) co_return Error(ErrorCode::outcome_unknown, "the other node has to say whether the change was made");
  if (outcome.state != ChangeOutcome::committed) co_return success();
  Change reverse;
  reverse.id = change.id + "/undo";
  reverse.summary = "undo: " + change.summary;
  for (const Mutation& mutation : change.mutations) {
    const bool created = mutation.value.has_value() && mutation.expected_revision == 0u;
    if (!created || node.shared.current().find(mutation.kind, mutation.key) == nullptr) continue;
    Mutation erase;
    erase.kind = mutation.kind;
    erase.key = mutation.key;
    reverse.mutations.push_back(std::move(erase));
  }
  if (context.params.contains("reverse")) {
    for (const Json& item : context.params.at("reverse")) {
      MCV_CO_TRY(Mutation mutation, Mutation::from_json(item));
      if (node.shared.current().find(mutation.kind, mutation.key) != nullptr) reverse.mutations.push_back(std::move(mutation));
    }
  }
  if (reverse.mutations.empty()) co_return success();
  auto proposed = co_await node.shared.propose(std::move(reverse));
  if (!proposed.ok()) co_return std::move(proposed).error();
  co_return success();
}

asio::awaitable<Result<Landed>> landed(Node& node, StepContext context) {
  const std::string id = change_id(context);
  MCV_CO_TRY(const Outcome outcome, co_await node.shared.outcome(id));
  switch (outcome.state) {
    case ChangeOutcome::committed: co_return Landed::yes;
    case ChangeOutcome::not_applied: co_return Landed::no;
    case ChangeOutcome::undecided: co_return Landed::not_yet;
    // Older than the kept log and asked for only now: the node was away so long that a person must look.
    case ChangeOutcome::forgotten: co_return Error(ErrorCode::outcome_unknown, "the log does not reach back to the change " + id).with_next("hvctl info; hvctl op list");
  }
  co_return Landed::not_yet;
}

}  // namespace

void add_record_action(Node& node) { add_action(node, "record", {run, undo, landed}); }

}  // namespace mcv
