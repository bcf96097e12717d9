// SPDX-License-Identifier: Apache-2.0
// Snapshots of repairs (storage/lvm/snapshot.h) are kept until a clean verify: this removes those of this node, after every clean
// verdict that arrives and at the daemon's start.
#pragma once

namespace mcv {

class Node;

/// Once, when the node has started. Works for as long as the node lives.
void tidy_snapshots(Node& node);

}  // namespace mcv
