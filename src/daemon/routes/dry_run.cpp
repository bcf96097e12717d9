// SPDX-License-Identifier: Apache-2.0
#include "daemon/routes/dry_run.h"

namespace mcv::routes {

Result<bool> wants_plan(const api::ApiCall& call) {
  MCV_CHECK(call.only_query({"dry_run"}));
  return call.flag("dry_run");
}

api::ApiReply would_do(const NodeName& node, std::string_view step, const std::vector<std::string>& texts) {
  Json steps = Json::array();
  for (const std::string& text : texts) steps.push_back({{"step", step}, {"node", node.str()}, {"text", text}});
  Json body = {{"plan", std::move(steps)}};
  return api::reply(std::move(body));
}

}  // namespace mcv::routes
