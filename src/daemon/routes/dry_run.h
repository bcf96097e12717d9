// SPDX-License-Identifier: Apache-2.0
// What ?dry_run=true answers where a request's effect is no plan of steps: the same refusals, then what it would do.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cluster/core/names.h"
#include "daemon/api/api_call.h"

namespace mcv::routes {

/// Of a changing request that takes no other query.
Result<bool> wants_plan(const api::ApiCall& call);

/// One step a text, all on `node`.
api::ApiReply would_do(const NodeName& node, std::string_view step, const std::vector<std::string>& texts);

}  // namespace mcv::routes
