// SPDX-License-Identifier: Apache-2.0
#include "daemon/actions/actions.h"

#include "daemon/node/node.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

class NodeAction final : public Action {
 public:
  NodeAction(Node& node, ActionFunctions functions) : node_(node), functions_(functions) {}

  asio::awaitable<Result<Json>> run(StepContext context) override { return functions_.run(node_, std::move(context)); }
  asio::awaitable<Status> undo(StepContext context) override { return functions_.undo(node_, std::move(context)); }
  asio::awaitable<Result<Landed>> landed(StepContext context) override { return functions_.landed(node_, std::move(context)); }

 private:
  Node& node_;
  ActionFunctions functions_;
};

}  // namespace

asio::awaitable<Status> nothing_to_undo(Node&, StepContext) { co_return success(); }

asio::awaitable<Result<Landed>> never_asked(Node&, StepContext context) {
  co_return Error(ErrorCode::internal, "step " + std::to_string(context.step) + " of " + context.operation.str() + " never commits");
}

void add_action(Node& node, const char* name, ActionFunctions functions) {
  std::unique_ptr<Action> action = std::make_unique<NodeAction>(node, functions);
  if (node.settings.wrap_action) action = node.settings.wrap_action(node.host, name, std::move(action));
  node.actions.add(name, std::move(action));
}

void add_actions(Node& node) {
  add_record_action(node);
  add_takeover_action(node);
  add_volume_actions(node);
  add_verify_actions(node);
  add_guest_actions(node);
  add_pool_actions(node);
  add_join_actions(node);
  add_removal_actions(node);
  add_resync_actions(node);
  add_attach_actions(node);
  add_orphan_actions(node);
}

}  // namespace mcv
