// SPDX-License-Identifier: Apache-2.0
// A person chooses one of two histories: what becomes of each VM, and what of the other history is to be typed again. Pure.
//
// The chosen node's configuration stays as it is, with one exception: a VM goes with its disk. Where a guest runs, or a replicated
// disk is open, is observed and outranks both records; a disk that only the other node has keeps its VM. Everything else that was
// decided on the other side is not merged, it is written down as commands.
#pragma once

#include <string>
#include <vector>

#include "cluster/authority/alone_since.h"
#include "cluster/model/cluster_state.h"
#include "cluster/model/observation.h"
#include "cluster/store/divergence.h"

namespace mcv::authority {

struct SettleQuestion {
  NodeName base;                 ///< whose history stays
  NodeName other;
  const History& ours;           ///< the base's
  const History& theirs;
  const NodeFacts& base_facts;
  const NodeFacts& other_facts;
  const AloneLedger& ledger;
};

struct VmFate {
  VmName vm;
  NodeName owner;     ///< afterwards
  std::string text;
};

/// One thing of the history that is given up. Without a command: none can do it, the text says what to look at.
struct ToRepeat {
  std::string text;
  std::string command;
  friend bool operator==(const ToRepeat&, const ToRepeat&) = default;
};

struct Settlement {
  std::vector<Mutation> mutations;   ///< of the base's configuration
  std::vector<VmFate> vms;
  std::vector<ToRepeat> to_repeat;
};

/// What would follow, or why the choice is refused now: `guest_running` where a guest would be left without its disk or have to be
/// ended, `in_use` where a VM that must come along cannot.
Result<Settlement> settle(const SettleQuestion& question);

/// "given-up-4": where the list of what was given up is kept, a shared setting, until a person dismisses it.
inline constexpr const char* given_up_prefix = "given-up-";
bool is_given_up_list(Kind kind, const std::string& key);

/// What `theirs` changed and `after` does not hold, as commands. Objects in `carried` came along.
std::vector<ToRepeat> to_repeat(const SettleQuestion& question, const ClusterState& after);

}  // namespace mcv::authority
