// SPDX-License-Identifier: Apache-2.0
#include "daemon/node/audit_book.h"

#include <algorithm>
#include <spdlog/spdlog.h>

#include "cluster/store/log_store.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

constexpr host::Duration refusal_window = std::chrono::minutes(1);
constexpr std::size_t accounts_watched = 1000;
constexpr std::string_view refused = "refused";

}  // namespace

void AuditBook::load() {
  numbers_.clear();
  refused_numbers_.clear();
  for (const char* kind : {row_kind, end_kind}) {
    for (const NodeOwnedRecord& record : records_.read_own(kind)) {
      const auto row = AuditRow::from_json(record.body);
      const bool is_refusal = std::string_view(kind) == row_kind && row.ok() && row->result == refused;
      (is_refusal ? refused_numbers_ : numbers_).push_back(record.number);
    }
  }
  std::sort(numbers_.begin(), numbers_.end());
  std::sort(refused_numbers_.begin(), refused_numbers_.end());
}

asio::awaitable<AuditKept> AuditBook::append(const char* kind, Json body, Numbers& numbers) {
  // Not from the reserve: that is for finishing what was begun, and nobody may use it up by asking.
  const std::uint64_t number = records_.last_number() + 1;
  const Result<bool> both = co_await records_.append(kind, std::move(body), /*may_use_reserve=*/false);
  if (!both.ok()) {
    spdlog::error("the audit misses a row: {}", both.error().to_text());
    co_return AuditKept::nowhere;
  }
  numbers.push_back(number);
  if (is_too_much() && !is_forgetting_) tasks_.spawn(forget_oldest());
  co_return *both ? AuditKept::on_both_nodes : AuditKept::here;
}

asio::awaitable<AuditKept> AuditBook::note(AuditRow row) {
  row.id = host_.random.uuid();
  row.wall_seconds = host_.clock.wall_seconds();
  Json body = row.to_json();
  Numbers& numbers = row.result == refused ? refused_numbers_ : numbers_;
  const AuditKept kept = co_await append(row_kind, std::move(body), numbers);
  co_return kept;
}

bool AuditBook::may_note_refusal(const std::string& user, std::uint64_t& unheard) {
  const host::Instant now = host_.clock.now();
  if (refusals_.size() >= accounts_watched) {
    std::erase_if(refusals_, [&](const auto& one) { return now - one.second.since >= refusal_window; });
  }
  Refusals& refusals = refusals_[user];
  if (refusals.noted == 0 || now - refusals.since >= refusal_window) {
    refusals.since = now;
    refusals.noted = 0;
  }
  if (refusals.noted >= refusals_a_minute) {
    ++refusals.unheard;
    return false;
  }
  ++refusals.noted;
  unheard = std::exchange(refusals.unheard, 0);
  return true;
}

void AuditBook::note_end(const OperationView& view) {
  if (view.asked_by.empty() || !view.outcome) return;
  AuditEnd end;
  end.operation = view.id.str();
  end.result = to_text(*view.outcome);
  if (view.error) end.error = to_text(view.error->code());
  tasks_.spawn(append_end(std::move(end)));
}

asio::awaitable<void> AuditBook::append_end(AuditEnd end) {
  Json body = end.to_json();
  const AuditKept kept = co_await append(end_kind, std::move(body), numbers_);
  static_cast<void>(kept);
}

bool AuditBook::is_too_much() const {
  const std::size_t refusals = kept_ / refusals_part;
  return numbers_.size() > kept_ + kept_ / 4 || refused_numbers_.size() > refusals + refusals / 4;
}

asio::awaitable<void> AuditBook::forget_oldest() {
  is_forgetting_ = true;
  std::vector<std::uint64_t> oldest;
  const auto shorten = [&oldest](Numbers& numbers, std::size_t most) {
    while (numbers.size() > most) {
      oldest.push_back(numbers.front());
      numbers.pop_front();
    }
  };
  shorten(numbers_, kept_);
  shorten(refused_numbers_, kept_ / refusals_part);
  const Status forgotten = co_await records_.forget(std::move(oldest));
  if (!forgotten.ok()) spdlog::warn("the oldest rows of the audit are kept: {}", forgotten.error().to_text());
  is_forgetting_ = false;
}

asio::awaitable<Result<AuditBook::Read>> AuditBook::read() {
  Read all;
  for (const NodeOwnedRecord& record : records_.read(row_kind)) {
    if (auto row = AuditRow::from_json(record.body); row.ok()) all.rows.push_back(std::move(*row));
  }
  for (const NodeOwnedRecord& record : records_.read(end_kind)) {
    if (auto end = AuditEnd::from_json(record.body); end.ok()) all.ends.push_back(std::move(*end));
  }
  MCV_CO_TRY(const std::vector<Json> kept, co_await load_audit(host_.store));
  const std::vector<Json> in_log = audit_in(shared_.image());
  for (const std::vector<Json>* list : {&kept, &in_log}) {
    for (const Json& json : *list) {
      if (auto row = AuditRow::from_json(json); row.ok()) all.rows.push_back(std::move(*row));
    }
  }
  co_return all;
}

}  // namespace mcv
