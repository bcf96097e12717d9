// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/operation_record.h"

#include <algorithm>

namespace mcv {

namespace asio = boost::asio;

OperationRecord::OperationRecord(asio::any_io_executor executor, Journal& journal, OperationNumber number, OperationState state)
    : journal_(journal), number_(number), state_(std::move(state)), written_(executor), changed_(executor) {}

OperationView OperationRecord::view() const {
  OperationView view = view_of(state_);
  view.version = version_;
  if (view.final()) return view;
  view.percent = percent_;
  if (!progress_.empty()) view.progress = progress_;
  return view;
}

void OperationRecord::changed() {
  ++version_;
  changed_.notify();
}

void OperationRecord::report(std::optional<int> percent, std::string text) {
  if (percent) percent = std::clamp(*percent, 0, 100);
  if (percent == percent_ && text == progress_) return;
  percent_ = percent;
  progress_ = std::move(text);
  changed();
}

asio::awaitable<void> OperationRecord::wait_change(std::uint64_t seen) {
  while (version_ == seen) co_await changed_.wait();
}

// The count of entries only grows and every restart of the daemon adds one ("resumed").
std::uint64_t OperationRecord::next_sequence() { return static_cast<std::uint64_t>(state_.entries()) * 1'000'000 + ++calls_; }

Status OperationRecord::applied(const JournalEntry& entry) {
  MCV_CHECK(state_.apply(entry));
  changed();
  return success();
}

asio::awaitable<Result<std::size_t>> OperationRecord::append(std::vector<JournalEntry> entries) {
  while (writing_) co_await written_.wait();
  OperationState after = state_;
  std::vector<Journal::Line> lines;
  for (JournalEntry& entry : entries) {
    const std::size_t position = after.entries();
    const Status fits = after.apply(entry);
    if (!fits.ok()) break;
    lines.push_back(Journal::Line{number_, position, std::move(entry)});
  }
  const std::size_t count = lines.size();
  if (count == 0) co_return count;
  writing_ = true;
  const Status durable = co_await journal_.write(std::move(lines));
  writing_ = false;
  written_.notify();
  if (!durable.ok()) co_return durable.error();
  state_ = std::move(after);
  changed();
  co_return count;
}

}  // namespace mcv
