// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "cluster/core/names.h"
#include "daemon/api/api_call.h"

namespace mcv {

class Node;

inline constexpr std::string_view console_protocol = "mcv-console";

/// One viewer of a guest's console as the bytes of an upgraded connection.
api::UpgradeReply open_console(Node& node, const VmName& vm, std::size_t replay_bytes);
/// The same of a guest on the other node, whose stream this is. When the link to it is lost, the viewer is told.
api::UpgradeReply forwarded_console(NodeName owner, std::unique_ptr<host::ByteStream> stream);

/// Ends when what `call` needs is taken back: no byte passes either way from then on.
api::UpgradeReply while_allowed(Node& node, const api::ApiCall& call, api::UpgradeReply reply);

}  // namespace mcv
