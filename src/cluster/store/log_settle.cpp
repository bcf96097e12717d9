// SPDX-License-Identifier: Apache-2.0
// Two histories that only a person can choose between (DESIGN 4): the choice, as one durable step of the node whose history stays.
//
// It is a generation like any other, so everything that follows is what already happens between two nodes that meet. It names the
// exact end of the history it gives up. So a choice typed on both nodes at once, each for its own, gives up nothing: each names an
// end that the other one has left behind by its own choice, and the nodes are as apart as before.
#include "cluster/store/log_machine.h"

#include <algorithm>

#include "cluster/store/log_machine_parts.h"

namespace mcv {

using namespace log_parts;

void LogMachine::settle(Ticket ticket, const std::string& uuid, Settled settled) {
  if (failed_) return answer(ticket, *failed_);
  if (link() != LinkState::diverged) {
    return answer(ticket, Error(ErrorCode::bad_request, "this node holds one history: there is nothing to choose").with_safe("nothing was changed").with_next("hvctl cluster diverged"));
  }
  Persist step = facts();
  step.essential = true;
  // As whoever takes a generation: the peer may have acknowledged what is tentative here.
  auto next = with_tentative(image_.last_index(), step);
  if (!next.ok()) return answer(ticket, std::move(next).error());
  GenerationRecord record;
  record.ref = {std::max(image_.generations.back().ref.counter, settled.other.generation.counter) + 1, uuid};
  record.taken_by = self_;
  record.proof = settled.proof;
  record.base_index = image_.last_index();
  record.base_hash = image_.last_hash();
  record.recent = standing_of(image_).hashes;
  record.settles = settled.other;
  LogEntry generation = generation_entry(record, format_of(*next));
  LogEntry entry = make_entry(generation.index + 1, record.ref, LogEntryKind::change, settled.change.id, settled.change.encode(), generation.hash, generation.format);
  if (auto status = next->apply(settled.change, entry.index); !status.ok()) return answer(ticket, std::move(status).error());
  add_rows(step, *next, settled.change);
  step.committed_index = entry.index;
  step.committed_hash = entry.hash;
  step.alone = false;
  step.diverged = Json();
  step.append.push_back(std::move(generation));
  step.append.push_back(std::move(entry));
  step.generations = with_newest(image_.generations, std::move(record));
  next_state_ = std::move(*next);
  local_ = ticket;
  persist(std::move(step), After::settle);
}

}  // namespace mcv
