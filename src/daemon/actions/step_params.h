// SPDX-License-Identifier: Apache-2.0
// A step's parameters come from a journal or from the other node, whose build may be another one: they are read by type, like every
// body, and a step that cannot read its own fails before its first effect.
#pragma once

#include "cluster/core/json.h"
#include "cluster/plan/action.h"

namespace mcv {

/// The record that the parameters of `context` hold under `key`.
template <typename Record>
Result<Record> record_in(const StepContext& context, const char* key) {
  Fields fields(context.params, "step");
  const Json* json = fields.object(key);
  MCV_CHECK(fields.finish_lenient());
  return Record::from_json(*json);
}

}  // namespace mcv
