// SPDX-License-Identifier: Apache-2.0
// What may be on this node, by the shared records and by what both nodes do: everything else of mcv's is an orphan.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "cluster/core/json.h"
#include "cluster/core/result.h"
#include "storage/drbd/orphans.h"

namespace mcv {

class Node;

struct OrphanLook {
  drbd::Belongs belongs;
  std::string unsure;  ///< why what looks like an orphan may be none; empty: it is one
};

/// Asks the other node, too, what it does.
boost::asio::awaitable<OrphanLook> what_belongs_here(Node& node);
/// Operations of this node that have not ended, or wait for a person: id, kind, object.
Json unfinished_operations(const Node& node);

}  // namespace mcv
