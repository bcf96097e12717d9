// SPDX-License-Identifier: Apache-2.0
#include "daemon/node/verify_history.h"

#include <algorithm>
#include <spdlog/spdlog.h>
#include <utility>

#include "cluster/store/suspects.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

bool is_same_run(const VerifyRun& one, const VerifyRun& other) {
  return one.volume == other.volume && one.operation == other.operation && one.at == other.at && one.began_wall == other.began_wall;
}

}  // namespace

std::vector<VerifyRun> VerifyHistory::own() const { return verify_runs(records_.read_own(verify_run_kind)); }

asio::awaitable<bool> VerifyHistory::append(VerifyRun run) {
  Json body = run.to_json();
  const Result<bool> written = co_await records_.append(verify_run_kind, std::move(body), /*may_use_reserve=*/false);
  if (!written.ok()) spdlog::warn("a verify of {} is not kept in the history: {}", run.volume.str(), written.error().to_text());
  co_return written.ok();
}

asio::awaitable<void> VerifyHistory::forget_before(VerifyRun run) {
  std::vector<VerifyRun> runs = own();
  std::vector<std::uint64_t> numbers;
  for (const VerifyRun& open : runs) {
    if (open.end == RunEnd::none && is_same_run(open, run)) numbers.push_back(open.number);
  }
  std::erase_if(runs, [&numbers](const VerifyRun& one) { return std::find(numbers.begin(), numbers.end(), one.number) != numbers.end(); });
  const std::vector<std::uint64_t> outdated = outdated_runs(shared_.current(), runs);
  numbers.insert(numbers.end(), outdated.begin(), outdated.end());
  if (numbers.empty()) co_return;
  const Status forgotten = co_await records_.forget(std::move(numbers));
  if (!forgotten.ok()) spdlog::warn("records of earlier verifies are kept: {}", forgotten.error().to_text());
}

asio::awaitable<void> VerifyHistory::close_open() {
  const std::vector<VerifyRun> runs = own();
  for (const VerifyRun& open : runs) {
    if (open.end != RunEnd::none) continue;
    // Its end may be there already, and only the forgetting is missing.
    const auto has_ended = [&open](const VerifyRun& other) { return other.end != RunEnd::none && is_same_run(open, other); };
    VerifyRun closed = open;
    bool is_written = std::any_of(runs.begin(), runs.end(), has_ended);
    if (!is_written) {
      closed.end = RunEnd::cut_off;
      closed.text = "mcvd ended in the middle of it";
      VerifyRun record = closed;
      is_written = co_await append(std::move(record));
    }
    if (is_written) co_await forget_before(std::move(closed));
  }
}

asio::awaitable<VerifyHistory::Begun> VerifyHistory::begin(VolumeRecord volume, std::string operation, std::string asked_by) {
  Begun begun;
  VerifyRun& run = begun.run;
  run.volume = volume.name;
  if (const auto vm = shared_.current().vm(volume.vm); vm.ok()) run.vm_uuid = vm->uuid;
  run.operation = std::move(operation);
  run.asked_by = std::move(asked_by);
  run.began_wall = clock_.wall_seconds();
  run.at = stamp_of(shared_.position());
  begun.since = clock_.now();
  const std::vector<VerifyRun> earlier = of(volume);
  begun.is_anew = std::any_of(earlier.begin(), earlier.end(), [&run](const VerifyRun& other) { return other.operation == run.operation; });
  VerifyRun record = run;
  static_cast<void>(co_await append(std::move(record)));
  co_return begun;
}

asio::awaitable<void> VerifyHistory::end(Begun begun) {
  begun.run.lasted_seconds = std::chrono::duration_cast<std::chrono::seconds>(clock_.now() - begun.since).count();
  VerifyRun record = begun.run;
  const bool written = co_await append(std::move(record));
  VerifyRun ended = std::move(begun.run);
  if (written) co_await forget_before(std::move(ended));
}

std::vector<VerifyRun> VerifyHistory::of(const VolumeRecord& volume) const { return history_of(volume, shared_.current(), verify_runs(records_.read(verify_run_kind))); }

}  // namespace mcv
