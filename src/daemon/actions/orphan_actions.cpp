// SPDX-License-Identifier: Apache-2.0
// orphan.remove: what belongs to nothing, by the name a person gave.
#include <fmt/format.h>

#include "daemon/actions/actions.h"
#include "daemon/node/node.h"
#include "daemon/node/orphan_look.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

asio::awaitable<Result<Json>> remove_orphan_here(Node& node, StepContext context) {
  Fields fields(context.params, "orphan");
  const auto name = fields.required<std::string>("name");
  auto made_by = fields.required<std::vector<std::string>>("made_by");
  MCV_CO_CHECK(fields.finish());
  // Asked again: since the plan was made somebody may have begun to use the name.
  OrphanLook look = co_await what_belongs_here(node);
  if (!look.unsure.empty()) {
    co_return Error(ErrorCode::busy, fmt::format("whether {} belongs to nothing cannot be told now: {}", name, look.unsure)).with_safe("nothing more was removed").with_next("hvctl op list; hvctl storage list-orphans");
  }
  MCV_CO_CHECK(co_await drbd::remove_orphan(node.host, node.drbd, std::move(look.belongs), name, std::move(made_by)));
  co_return Json();
}

}  // namespace

void add_orphan_actions(Node& node) { add_action(node, "orphan.remove", {remove_orphan_here, nothing_to_undo, never_asked}); }

}  // namespace mcv
