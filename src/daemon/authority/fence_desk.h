// SPDX-License-Identifier: Apache-2.0
// The daemon's side of mcv-drbd-helper: its one line in, the answer's one line out.
#pragma once

#include <string>

namespace mcv {

class Node;

/// {"event":"fence-peer","resource":"mcv-vm1-0",...} -> {"exit":N}. Anything else, and any doubt, is {"exit":1}.
std::string answer_drbd_helper(const Node& node, const std::string& line);

}  // namespace mcv
