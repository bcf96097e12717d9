// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "cluster/core/names.h"
#include "daemon/api/api_call.h"

namespace mcv {

class Node;

/// One viewer of a guest's console as the bytes of an upgraded connection.
api::UpgradeReply open_console(Node& node, const VmName& vm, std::size_t replay_bytes);

}  // namespace mcv
