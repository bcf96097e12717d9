// SPDX-License-Identifier: Apache-2.0
// What was deleted while this node was away is removed here when it is back, one operation a disk (cluster/model/pending_delete).
#pragma once

#include <map>
#include <string>

#include "cluster/core/names.h"
#include "cluster/host/host.h"
#include "cluster/host/wakeup.h"
#include "cluster/model/pending_delete.h"

namespace mcv {

class Node;

class LateDeletes {
 public:
  explicit LateDeletes(Node& node);

  /// After the operations were resumed.
  void begin();
  /// Why a disk is still here although it was tried; empty: it was not, or is being removed.
  std::string problem(const VolumeName& volume) const;

 private:
  boost::asio::awaitable<void> watch();
  boost::asio::awaitable<void> look();
  boost::asio::awaitable<bool> has_data(PendingDelete pending);

  Node& node_;
  host::Wakeup wakeup_;
  std::map<VolumeName, OperationId> tried_;
};

}  // namespace mcv
