// SPDX-License-Identifier: Apache-2.0
// Every step of cluster/plans/steps.h as an action of this node.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "cluster/model/records.h"
#include "cluster/plan/action.h"

namespace mcv {

class Node;

/// An action made of plain coroutine functions: they look at the node, no object holds state between calls.
struct ActionFunctions {
  boost::asio::awaitable<Result<Json>> (*run)(Node&, StepContext);
  boost::asio::awaitable<Status> (*undo)(Node&, StepContext);
  boost::asio::awaitable<Result<Landed>> (*landed)(Node&, StepContext);
};

/// For effects that need no undo: looking, waiting, demoting.
boost::asio::awaitable<Status> nothing_to_undo(Node& node, StepContext context);
/// For steps that never commit a plan: nobody asks whether they landed.
boost::asio::awaitable<Result<Landed>> never_asked(Node& node, StepContext context);

/// Primary here, brought up first where a reboot took it out of the kernel. At once when it is.
boost::asio::awaitable<Status> promote(Node& node, VolumeRecord volume);

void add_action(Node& node, const char* name, ActionFunctions functions);

void add_actions(Node& node);
void add_record_action(Node& node);
void add_takeover_action(Node& node);
void add_volume_actions(Node& node);
void add_verify_actions(Node& node);
void add_guest_actions(Node& node);
void add_pool_actions(Node& node);
void add_join_actions(Node& node);
void add_removal_actions(Node& node);
void add_resync_actions(Node& node);
void add_attach_actions(Node& node);
void add_orphan_actions(Node& node);

}  // namespace mcv
