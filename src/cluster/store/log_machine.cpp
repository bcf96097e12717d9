// SPDX-License-Identifier: Apache-2.0
// What the machine hands out, what it knows, and what follows a Persist that ended.
#include "cluster/store/log_machine.h"

#include <charconv>
#include <fmt/format.h>

#include "cluster/core/json_value.h"
#include "cluster/store/log_machine_parts.h"

namespace mcv {

using namespace log_parts;

LogMachine::LogMachine(std::string self, LogImage image, Abilities abilities) : self_(std::move(self)), abilities_(std::move(abilities)), image_(std::move(image)) {
  for (const auto& [index, entry] : image_.log) {
    if (!entry.change_id.empty()) ids_[entry.change_id] = index;
  }
  find_members();
}

std::optional<Output> LogMachine::take_output() {
  const bool ready = !output_.messages.empty() || !output_.answers.empty() || output_.state_changed || output_.failed;
  if (ready) return std::exchange(output_, Output{});
  if (!persist_wanted_) return std::nullopt;
  persist_wanted_ = false;
  Output output;
  output.persist = in_flight_;
  return output;
}

void LogMachine::persist(Persist step, After after) {
  keep_audit(step);
  in_flight_ = std::move(step);
  in_flight_.format = next_state_ ? format_of(*next_state_) : format();
  after_ = after;
  persist_wanted_ = true;
}

/// What the log forgets, the audit keeps. Tentative entries are nobody's doing yet.
void LogMachine::keep_audit(Persist& step) const {
  if (!step.replace_all && !step.compact_below) return;
  for (const auto& [index, entry] : image_.log) {
    if (index > image_.committed_index || (!step.replace_all && index >= *step.compact_below)) return;
    if (audit_of(entry)) step.audited.push_back(entry);
  }
}

Persist LogMachine::facts() const {
  Persist step;
  step.committed_index = image_.committed_index;
  step.committed_hash = image_.committed_hash;
  step.alone = image_.alone;
  return step;
}

void LogMachine::apply_in_flight() {
  Persist& step = in_flight_;
  if (step.replace_all) {
    image_.log.clear();
    ids_.clear();
  }
  const auto forget = [&](auto first, auto last) {
    for (auto entry = first; entry != last; ++entry) ids_.erase(entry->second.change_id);
    image_.log.erase(first, last);
  };
  if (step.drop_above) forget(image_.log.upper_bound(*step.drop_above), image_.log.end());
  if (step.compact_below) forget(image_.log.begin(), image_.log.lower_bound(*step.compact_below));
  for (LogEntry& entry : step.append) {
    if (!entry.change_id.empty()) ids_[entry.change_id] = entry.index;
    image_.log[entry.index] = std::move(entry);
  }
  image_.committed_index = step.committed_index;
  image_.committed_hash = step.committed_hash;
  image_.alone = step.alone;
  if (step.generations) image_.generations = std::move(*step.generations);
  if (step.diverged) {
    if (step.diverged->is_null()) image_.diverged.reset(); else image_.diverged = std::move(*step.diverged);
  }
  if (next_state_) {
    image_.state = std::move(*next_state_);
    next_state_.reset();
    output_.state_changed = true;
    find_members();
  }
  in_flight_ = Persist{};
}

void LogMachine::persisted(const Status& status) {
  const After after = std::exchange(after_, After::nothing);
  if (status.ok()) {
    apply_in_flight();
    after_persist(after);
    return pump();
  }
  const Error error = status.error();
  next_state_.reset();
  in_flight_ = Persist{};
  // A full disk left everything as it was: what was only asked for is refused. What was already decided cannot be.
  if (error.code() == ErrorCode::disk_full) {
    if (after == After::append) {
      send_about_head("refuse", {{"error", error_to_json(Error(error).with_context(self_))}});
      return pump();
    }
    if (after == After::local_commit) {
      refuse_local(std::exchange(local_, 0), error);
      return pump();
    }
    if (after == After::initialise || after == After::adopt || after == After::generation || after == After::settle) {
      answer(std::exchange(local_, 0), error);
      return pump();
    }
  }
  fail(error);
}

void LogMachine::after_persist(After after) {
  switch (after) {
    case After::nothing: return;
    case After::initialise:
    case After::adopt:
      answer(std::exchange(local_, 0), committed_at(image_.committed_index, false));
      greet();
      return route_all();
    case After::local_commit:
      answer(std::exchange(local_, 0), committed_at(image_.committed_index, false));
      return greet();
    case After::append:
      head_->appended = true;
      return send_about_head("ack", {{"hash", head_->entry.hash}});
    case After::commit: {
      const Head done = std::move(*head_);
      head_.reset();
      lingering_.erase(done.change.id);
      if (is_waiting(done.proposal)) answer(done.proposal.ticket, committed_at(done.entry.index, true));
      if (peer_id_ == 0) {
        // The change removed the other node: from here on this is a cluster of one, or no member at all.
        end_session();
        for (auto& [ticket, waiting] : waiting_) waiting.sent = waiting.placed = false;
        route_all();
      }
      return;
    }
    case After::abort: return send_about_head("aborted", Json::object());
    case After::end_alone: return send_standing();
    case After::converge:
    case After::take_state: return send_synced();
    case After::meet_newer: return send_state();
    case After::diverge: return route_all();
    case After::settle:
      // What was compared before the choice says nothing any more.
      end_session();
      answer(std::exchange(local_, 0), committed_at(image_.committed_index, false));
      return route_all();
    case After::generation:
      answer(std::exchange(local_, 0), committed_at(image_.committed_index, false));
      return resolve_tickets();
  }
}

/// Starts what can be started; nothing does while a Persist is outstanding.
void LogMachine::pump() {
  while (after_ == After::nothing && !failed_) {
    const LinkState state = link();
    if ((state == LinkState::single || state == LinkState::alone) && !waiting_.empty()) {
      start_local(waiting_.begin()->first);
    } else if (state == LinkState::together && !head_ && !queue_.empty()) {
      start_head();
    } else {
      return;
    }
  }
}

LinkState LogMachine::link() const {
  if (failed_) return LinkState::failed;
  if (image_.generations.empty()) return LinkState::uninitialised;
  if (own_id_ == 0 && !image_.state.nodes().empty()) return LinkState::removed;
  if (peer_id_ == 0) return LinkState::single;
  if (image_.diverged) return LinkState::diverged;
  if (together_) return LinkState::together;
  if (image_.alone && session_.empty()) return LinkState::alone;
  if (peer_present() && incompatible_.empty()) return LinkState::syncing;
  return LinkState::apart;
}

std::string LogMachine::link_reason() const {
  if (failed_) return failed_->message();
  if (image_.diverged) return value_in(*image_.diverged, "reason", "");
  if (!incompatible_.empty()) return incompatible_;
  if (peer_id_ == 0 || together_) return {};
  if (!connected_) {
    return lost_reason_.empty() ? "this node is not connected to corosync yet" : fmt::format("this node is not connected to corosync ({})", lost_reason_);
  }
  if (!peer_present()) return fmt::format("{} is not in contact", peer_name());
  return fmt::format("comparing configurations with {}", peer_name());
}

std::optional<Json> LogMachine::with_tentative(Kind kind, const std::string& key) const {
  const auto value = [&](const ClusterState& state) {
    const ClusterState::Entry* entry = state.find(kind, key);
    return entry == nullptr ? std::nullopt : std::optional(entry->value);
  };
  if (image_.last_index() == image_.committed_index) return value(image_.state);
  Persist ignored;
  const auto state = with_tentative(image_.last_index(), ignored);
  return state.ok() ? value(*state) : std::nullopt;
}

std::optional<OtherBuild> LogMachine::other_build() const {
  if (peer_id_ == 0) return std::nullopt;
  return OtherBuild{peer_name(), peer_abilities_};
}

Position LogMachine::position() const {
  Position position;
  if (!image_.generations.empty()) position.generation = image_.generations.back().ref;
  position.index = image_.committed_index;
  position.hash = image_.committed_hash;
  return position;
}

Committed LogMachine::committed_at(std::uint64_t index, bool both) const {
  Committed committed;
  static_cast<Position&>(committed) = position();
  committed.on_both_nodes = both;
  if (const auto entry = image_.log.find(index); entry != image_.log.end()) {
    committed.generation = entry->second.generation;
    committed.index = index;
    committed.hash = entry->second.hash;
  }
  return committed;
}

Outcome LogMachine::outcome(const std::string& id) const {
  const std::size_t at = id.rfind('@');
  const std::string plain = id.substr(0, at);
  std::uint64_t asked_at = 0;
  if (at != std::string::npos) std::from_chars(id.data() + at + 1, id.data() + id.size(), asked_at);
  if (const auto known = ids_.find(plain); known != ids_.end()) {
    if (known->second > image_.committed_index) return {ChangeOutcome::undecided, {}};
    return {ChangeOutcome::committed, committed_at(known->second, false)};
  }
  const LinkState state = link();
  const bool settled = state == LinkState::single || state == LinkState::alone || state == LinkState::together;
  bool on_its_way = lingering_.contains(plain) || (head_ && head_->change.id == plain);
  for (const auto& [ticket, waiting] : waiting_) on_its_way = on_its_way || waiting.change.id == plain;
  // Without contact the peer may hold it as tentative, and whoever takes a generation adopts what it holds.
  if (!settled || on_its_way) return {ChangeOutcome::undecided, {}};
  const std::uint64_t first_kept = image_.log.empty() ? image_.committed_index + 1 : image_.log.begin()->first;
  if (asked_at + 1 < first_kept) return {ChangeOutcome::forgotten, {}};
  return {ChangeOutcome::not_applied, {}};
}

}  // namespace mcv
