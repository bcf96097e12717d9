// SPDX-License-Identifier: Apache-2.0
// Requests of this node and their answers: what is refused, what waits, what nobody can know yet.
#include "cluster/store/log_machine.h"

#include <fmt/format.h>

#include "cluster/core/json_value.h"
#include "cluster/store/log_machine_parts.h"

namespace mcv {

using namespace log_parts;

namespace {

constexpr std::size_t change_limit = 512 * 1024;

/// Of the history that the other node had at the meeting.
Position other_end(const Json& divergence) {
  Position end;
  const Json peer = value_in(divergence, "peer", Json());
  end.generation = {value_in(peer, "counter", std::uint64_t{0}), value_in(peer, "uuid", "")};
  end.index = value_in(peer, "committed", std::uint64_t{0});
  end.hash = value_in(peer, "hash", "");
  return end;
}

}  // namespace

void LogMachine::initialise(Ticket ticket, const std::string& uuid) {
  if (!image_.generations.empty() || failed_) {
    return answer(ticket, Error(ErrorCode::already_exists, "this node has a configuration already").with_next("hvctl info"));
  }
  Persist step = facts();
  GenerationRecord first;
  first.ref = {1, uuid};
  first.taken_by = self_;
  first.proof = "initialised";
  step.generations = std::vector<GenerationRecord>{first};
  local_ = ticket;
  persist(std::move(step), After::initialise);
}

void LogMachine::adopt(Ticket ticket, LogImage image) {
  const LinkState state = link();
  const bool allowed = state == LinkState::uninitialised || state == LinkState::single || state == LinkState::removed || state == LinkState::diverged;
  if (!allowed) {
    return answer(ticket, Error(ErrorCode::already_clustered, "this node is a member of a cluster: its configuration is not replaced").with_next("hvctl info"));
  }
  replace(ticket, std::move(image));
}

void LogMachine::begin_anew(Ticket ticket, const std::string& uuid) {
  if (failed_) return answer(ticket, *failed_);
  if (!session_.empty() || image_.generations.empty()) {
    return answer(ticket, Error(ErrorCode::busy, "this node is in contact with its cluster: its configuration is not replaced").with_next("hvctl info"));
  }
  LogImage image;
  GenerationRecord first;
  first.ref = {1, uuid};
  first.taken_by = self_;
  first.proof = "initialised";
  image.generations.push_back(std::move(first));
  replace(ticket, std::move(image));
}

void LogMachine::replace(Ticket ticket, LogImage image) {
  end_session();
  Persist step;
  step.replace_all = true;
  step.committed_index = image.committed_index;
  step.committed_hash = image.committed_hash;
  step.generations = std::move(image.generations);
  step.diverged = Json();
  for (auto& [index, entry] : image.log) step.append.push_back(std::move(entry));
  add_all_rows(step, image.state);
  next_state_ = std::move(image.state);
  local_ = ticket;
  persist(std::move(step), After::adopt);
}

void LogMachine::propose(Ticket ticket, Change change, Where where) {
  const std::size_t size = change.encode().size();
  if (size > change_limit) {
    return answer(ticket, Error(ErrorCode::too_large, fmt::format("the change has {} bytes, {} are the limit", size, change_limit)));
  }
  waiting_[ticket] = {std::move(change), false, false, where, image_.committed_index};
  route(ticket);
  pump();
}

void LogMachine::expire(Ticket ticket) {
  const auto found = waiting_.find(ticket);
  if (found == waiting_.end()) return;
  const Waiting waiting = found->second;
  if (!waiting.placed) {
    return answer(ticket, Error(ErrorCode::busy, fmt::format("{} is in contact, but the two nodes have not finished comparing their configurations", peer_name()))
                              .with_safe("nothing was changed")
                              .with_next("repeat the command"));
  }
  lingering_.insert(waiting.change.id);
  answer(ticket, unknown(waiting));
}

void LogMachine::take_generation(Ticket ticket, const std::string& uuid, const std::string& proof, const std::function<bool(const ClusterState&)>& holds) {
  const LinkState state = link();
  if (state == LinkState::alone) return answer(ticket, committed_at(image_.committed_index, false));
  if (state == LinkState::syncing || state == LinkState::together) {
    return answer(ticket, Error(ErrorCode::busy, fmt::format("{} is in contact: nobody decides alone", peer_name())).with_next("hvctl info"));
  }
  const bool goes_on_apart = state == LinkState::diverged && !holds && !peer_present();
  if (state != LinkState::apart && !goes_on_apart) return answer(ticket, refusal());
  Persist step = facts();
  step.essential = true;
  auto next = with_tentative(image_.last_index(), step);
  if (!next.ok()) return answer(ticket, std::move(next).error());
  if (holds && !holds(*next)) {
    return answer(ticket, Error(ErrorCode::no_authority, fmt::format("what {} would decide alone by does not hold any more", self_)).with_safe("nothing was changed").with_next("hvctl info"));
  }
  GenerationRecord record;
  record.ref = {image_.generations.back().ref.counter + 1, uuid};
  record.taken_by = self_;
  record.proof = proof;
  record.base_index = image_.last_index();
  record.base_hash = image_.last_hash();
  record.recent = standing_of(image_).hashes;
  if (goes_on_apart) record.apart_from = other_end(*image_.diverged);
  LogEntry entry = generation_entry(record, format_of(*next));
  step.committed_index = entry.index;
  step.committed_hash = entry.hash;
  step.alone = true;
  if (goes_on_apart) step.diverged = Json();
  step.append.push_back(std::move(entry));
  step.generations = with_newest(image_.generations, std::move(record));
  next_state_ = std::move(*next);
  local_ = ticket;
  persist(std::move(step), After::generation);
}

void LogMachine::start_local(Ticket ticket) {
  const Change change = waiting_.at(ticket).change;
  if (const auto known = ids_.find(change.id); known != ids_.end()) return answer(ticket, committed_at(known->second, false));
  ClusterState next = image_.state;
  const std::uint64_t index = image_.committed_index + 1;
  Status status = check_abilities(change, image_.state, abilities_, other_build());
  if (status.ok()) status = next.apply(change, index);
  if (!status.ok()) return refuse_local(ticket, status.error());
  Persist step = facts();
  LogEntry entry = make_entry(index, image_.generations.back().ref, LogEntryKind::change, change.id, change.encode(), image_.committed_hash, format());
  step.committed_index = index;
  step.committed_hash = entry.hash;
  step.append.push_back(std::move(entry));
  add_rows(step, next, change);
  if (!image_.log.empty() && image_.log.begin()->first + 2 * kept_entries < index) step.compact_below = index - kept_entries;
  next_state_ = std::move(next);
  local_ = ticket;
  persist(std::move(step), After::local_commit);
}

/// Sends a waiting change on its way, leaves it waiting, or refuses it.
void LogMachine::route(Ticket ticket) {
  Waiting& waiting = waiting_.at(ticket);
  if (waiting.sent) return;
  if (waiting.where == Where::only_alone && link() != LinkState::alone) return answer(ticket, contact_came());
  switch (link()) {
    case LinkState::single:
    case LinkState::alone:
    case LinkState::syncing: return;
    case LinkState::together:
      waiting.sent = waiting.placed = true;
      return send({{"type", "propose"}, {"session", session_}, {"ticket", ticket}, {"format", format()}}, waiting.change.encode());
    default:
      if (!waiting.placed) answer(ticket, refusal());
      return;
  }
}

void LogMachine::route_all() {
  std::vector<Ticket> tickets;
  for (const auto& [ticket, waiting] : waiting_) tickets.push_back(ticket);
  for (const Ticket ticket : tickets) route(ticket);
}

/// The history is settled: what is in it was applied, what is not never got a place and may start over.
void LogMachine::resolve_tickets() {
  lingering_.clear();
  std::vector<Ticket> tickets;
  for (const auto& [ticket, waiting] : waiting_) tickets.push_back(ticket);
  for (const Ticket ticket : tickets) {
    Waiting& waiting = waiting_.at(ticket);
    waiting.sent = false;
    if (together_) waiting.placed = false;
    if (const auto known = ids_.find(waiting.change.id); known != ids_.end()) {
      answer(ticket, committed_at(known->second, together_));
    } else {
      route(ticket);
    }
  }
}

void LogMachine::answer(Ticket ticket, Result<Committed> result) {
  if (ticket == 0) return;
  waiting_.erase(ticket);
  output_.answers.push_back({ticket, std::move(result)});
}

/// Alone, the peer's copy of a change that was on its way stays out of reach until contact.
void LogMachine::refuse_local(Ticket ticket, Error error) {
  const Waiting& waiting = waiting_.at(ticket);
  if (waiting.placed) answer(ticket, unknown(waiting)); else answer(ticket, std::move(error));
}

bool LogMachine::is_waiting(const Proposal& proposal) const { return proposal.proposer == own_id_ && waiting_.contains(proposal.ticket); }

Error LogMachine::unknown(const Waiting& waiting) const {
  return Error(ErrorCode::outcome_unknown,
               peer_id_ == 0 ? fmt::format("whether '{}' was applied is not known: the store failed", waiting.change.summary)
                             : fmt::format("whether '{}' was applied is not known: {} did not report it in time", waiting.change.summary, peer_name()))
      .with_safe("it is applied completely or not at all, and alike on both nodes; which, is known at the latest once they are connected")
      .with_next(fmt::format("hvctl cluster change {}@{}", waiting.change.id, waiting.asked_at));
}

Error LogMachine::contact_came() const {
  return Error(ErrorCode::no_authority, fmt::format("{} does not decide alone any more", self_)).with_safe("nothing was changed").with_next("hvctl info");
}

Error LogMachine::refusal() const {
  switch (link()) {
    case LinkState::failed: return *failed_;
    case LinkState::uninitialised:
      return Error(ErrorCode::not_initialised, "this node has no configuration yet").with_next("hvctl node init --all");
    case LinkState::removed:
      return Error(ErrorCode::no_authority, fmt::format("{} was removed from the cluster", self_)).with_safe("nothing was changed").with_next("hvctl info");
    case LinkState::diverged:
      return Error(ErrorCode::diverged, fmt::format("the nodes hold two different histories of the configuration: {}", link_reason()))
          .with_safe("both are kept, nothing was changed")
          .with_next("hvctl cluster diverged shows both, and how one is chosen");
    default: break;
  }
  Error error = Error(ErrorCode::no_authority, fmt::format("a change of the shared configuration needs both nodes: {}", link_reason()))
                    .with_safe("nothing was changed; running VMs are not concerned");
  if (!connected_) return std::move(error).with_next("systemctl start corosync");
  return std::move(error).with_next(
      fmt::format("on {0}: systemctl start corosync mcvd; only if {0} is powered off: hvctl cluster confirm-down {0}", peer_name()));
}

void LogMachine::fail(Error error) {
  failed_ = Error(ErrorCode::io_error, fmt::format("the store failed: {}", error.message()))
                .with_safe("guests go on; this daemon takes no more changes before a restart")
                .with_next(error.code() == ErrorCode::disk_full ? "df -h /var/lib/mcv, free some space, then systemctl restart mcvd" : "systemctl restart mcvd");
  std::vector<Ticket> tickets;
  for (const auto& [ticket, waiting] : waiting_) tickets.push_back(ticket);
  for (const Ticket ticket : tickets) {
    const Waiting& waiting = waiting_.at(ticket);
    // A local commit whose fsync failed may be on the disk or not.
    const bool maybe = waiting.placed || ticket == local_;
    if (ticket == local_) local_ = 0;
    answer(ticket, maybe ? unknown(waiting) : *failed_);
  }
  answer(std::exchange(local_, 0), *failed_);
  output_.failed = *failed_;
  end_session();
}

}  // namespace mcv
