// SPDX-License-Identifier: Apache-2.0
// What a node tells its log of guests, operations and the contact of the configurations. Pure.
#pragma once

#include "cluster/core/names.h"
#include "cluster/model/observation.h"
#include "cluster/plan/operations.h"
#include "cluster/store/shared_state.h"
#include "daemon/log/event_log.h"

namespace mcv {

LogEvent guest_event(const NodeName& self, const VmName& vm, const VmFacts& facts);
LogEvent link_event(const NodeName& self, const Link& link, const Position& position);
LogEvent operation_event(const NodeName& self, OperationNews news, const OperationView& view);

}  // namespace mcv
