// SPDX-License-Identifier: Apache-2.0
#include "daemon/node/verify_gate.h"

#include <spdlog/spdlog.h>

namespace mcv {

namespace asio = boost::asio;

asio::awaitable<Status> VerifyGate::close(VolumeRecord volume, std::vector<SectorRange> ranges, std::string reason) {
  Suspect suspect;
  suspect.volume = volume.name;
  if (const auto vm = shared_.current().vm(volume.vm); vm.ok()) suspect.vm_uuid = vm->uuid;
  suspect.at = stamp_of(shared_.position());
  suspect.wall_seconds = clock_.wall_seconds();
  suspect.reason = std::move(reason);
  suspect.ranges = std::move(ranges);
  unwritten_.insert_or_assign(volume.name, suspect);
  Json body = suspect.to_json();
  const Result<bool> written = co_await records_.append(suspect_kind, std::move(body));
  if (!written.ok()) {
    spdlog::error("that {} is suspect could not be stored: {}", volume.name.str(), written.error().to_text());
    co_return written.error();
  }
  unwritten_.erase(volume.name);
  co_return success();
}

void VerifyGate::notice() const {
  for (const NodeOwnedRecord& record : unreadable(records_.read(suspect_kind))) first_seen(record);
}

asio::awaitable<void> VerifyGate::tidy() {
  const ClusterState& state = shared_.current();
  std::erase_if(unwritten_, [&state](const auto& item) { return !stands(item.second, state); });
  const std::vector<NodeOwnedRecord> own = records_.read_own(suspect_kind);
  std::vector<std::uint64_t> numbers = spent(state, own);
  for (const NodeOwnedRecord& record : unreadable(own)) {
    if (is_settled(first_seen(record), state)) numbers.push_back(record.number);
  }
  if (numbers.empty()) co_return;
  const Status forgotten = co_await records_.forget(std::move(numbers));
  if (!forgotten.ok()) spdlog::warn("records of earlier verifies are kept: {}", forgotten.error().to_text());
}

std::optional<Suspect> VerifyGate::find(const VolumeName& volume) const {
  const ClusterState& state = shared_.current();
  const std::vector<NodeOwnedRecord> records = records_.read(suspect_kind);
  const SuspectLedger ledger(state, records);
  if (const Suspect* suspect = ledger.find(volume)) return *suspect;
  for (const NodeOwnedRecord& record : unreadable(records)) {
    if (auto suspect = doubt(record, volume, first_seen(record), state)) return suspect;
  }
  const auto unwritten = unwritten_.find(volume);
  if (unwritten != unwritten_.end() && stands(unwritten->second, state)) return unwritten->second;
  return std::nullopt;
}

LogStamp VerifyGate::first_seen(const NodeOwnedRecord& record) const {
  const auto [seen, is_new] = unreadable_since_.try_emplace({record.node, record.stream, record.number}, stamp_of(shared_.position()));
  if (is_new) spdlog::error("record {} of {} about a verify cannot be read: {}", record.number, record.node, record.body.dump());
  return seen->second;
}

std::function<bool(const VolumeName&)> VerifyGate::suspects() const {
  return [this](const VolumeName& volume) { return is_suspect(volume); };
}

}  // namespace mcv
