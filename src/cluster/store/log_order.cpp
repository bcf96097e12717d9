// SPDX-License-Identifier: Apache-2.0
// The life of one entry, in the order of the group: proposed, appended, acknowledged, committed or aborted.
#include "cluster/store/log_machine.h"

#include <fmt/format.h>

#include "cluster/store/log_machine_parts.h"

namespace mcv {

using namespace log_parts;

void LogMachine::on_propose(host::NodeId sender, const Json& header, std::string_view payload) {
  if (!together_) return;
  queue_.push_back({sender, header.value("ticket", Ticket{0}), header.value("format", std::uint64_t{0}), std::string(payload)});
}

void LogMachine::start_head() {
  Head head;
  head.proposal = std::move(queue_.front());
  queue_.pop_front();
  head.entry.index = image_.committed_index + 1;
  Status status = success();
  auto change = Change::decode(head.proposal.bytes);
  if (head.proposal.format > abilities_.format) {
    status = Error(ErrorCode::format_unknown, fmt::format("{} does not know format {} of the configuration", self_, head.proposal.format));
  } else if (head.proposal.format == 0 || head.proposal.format > format()) {
    status = Error(ErrorCode::format_unknown, fmt::format("a change was written in format {}, and the nodes agreed on {}", head.proposal.format, format()));
  } else if (!change.ok()) {
    status = change.error();
  } else if (ids_.contains(change->id)) {
    status = Error(ErrorCode::already_exists, fmt::format("the change {} was applied already", change->id));
  } else {
    status = check_abilities(*change, image_.state, abilities_, other_build());
    if (status.ok()) status = image_.state.check(*change);
  }
  if (change.ok()) head.change = std::move(*change);
  head_ = std::move(head);
  if (!status.ok()) return send_about_head("refuse", {{"error", error_to_json(status.error())}});
  head_->entry = make_entry(head_->entry.index, image_.generations.back().ref, LogEntryKind::change, head_->change.id, head_->proposal.bytes, image_.committed_hash, head_->proposal.format);
  Persist step = facts();
  step.append.push_back(head_->entry);
  persist(std::move(step), After::append);
}

void LogMachine::send_about_head(const char* type, Json more) {
  more["type"] = type;
  more["session"] = session_;
  more["index"] = head_->entry.index;
  more["proposer"] = head_->proposal.proposer;
  more["ticket"] = head_->proposal.ticket;
  send(std::move(more));
}

bool LogMachine::is_head(const Json& header) const {
  return head_ && header.value("index", std::uint64_t{0}) == head_->entry.index &&
         header.value("proposer", host::NodeId{0}) == head_->proposal.proposer && header.value("ticket", Ticket{0}) == head_->proposal.ticket;
}

void LogMachine::on_ack(host::NodeId sender, const Json& header) {
  if (!is_head(header) || head_->refused || !head_->appended) return;
  if (header.value("hash", "") != head_->entry.hash) {
    return diverge(fmt::format("the nodes made different entries of the same change at index {}", head_->entry.index));
  }
  head_->acked.insert(sender);
  if (head_->acked.size() == 2) commit_head();
}

void LogMachine::commit_head() {
  Persist step = facts();
  step.essential = true;
  auto next = with_tentative(head_->entry.index, step);
  if (!next.ok()) return fail(std::move(next).error());
  step.committed_index = head_->entry.index;
  step.committed_hash = head_->entry.hash;
  if (image_.log.begin()->first + 2 * kept_entries < step.committed_index) step.compact_below = step.committed_index - kept_entries;
  next_state_ = std::move(*next);
  persist(std::move(step), After::commit);
}

void LogMachine::on_refuse(const Json& header) {
  if (!is_head(header) || head_->refused) return;
  head_->refused = error_from_json(header.value("error", Json::object()));
  if (!head_->appended) return send_about_head("aborted", Json::object());
  Persist step = facts();
  step.essential = true;
  step.drop_above = head_->entry.index - 1;
  persist(std::move(step), After::abort);
}

void LogMachine::on_aborted(host::NodeId sender, const Json& header) {
  if (!is_head(header) || !head_->refused) return;
  head_->aborted.insert(sender);
  if (head_->aborted.size() < 2) return;
  const Head done = std::move(*head_);
  head_.reset();
  lingering_.erase(done.change.id);
  if (!is_waiting(done.proposal)) return;
  const auto known = ids_.find(done.change.id);
  if (known != ids_.end()) return answer(done.proposal.ticket, committed_at(known->second, true));
  answer(done.proposal.ticket, *done.refused);
}

Result<ClusterState> LogMachine::with_tentative(std::uint64_t limit, Persist& step) const {
  ClusterState state = image_.state;
  std::vector<Change> changes;
  for (auto entry = image_.log.upper_bound(image_.committed_index); entry != image_.log.end() && entry->first <= limit; ++entry) {
    if (entry->second.kind == LogEntryKind::generation) continue;
    MCV_TRY(Change change, Change::decode(entry->second.bytes));
    if (auto status = state.apply(change, entry->first); !status.ok()) {
      return Error(ErrorCode::store_corrupt, fmt::format("entry {} was checked and does not apply: {}", entry->first, status.error().message()));
    }
    changes.push_back(std::move(change));
  }
  for (const Change& change : changes) add_rows(step, state, change);
  return state;
}

void LogMachine::send(Json header, const std::string& payload) {
  std::string bytes = canonical(header);
  if (!payload.empty()) bytes += '\n' + payload;
  output_.messages.push_back(std::move(bytes));
}

}  // namespace mcv
