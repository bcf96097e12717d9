// SPDX-License-Identifier: Apache-2.0
#include "daemon/node/snapshot_tidy.h"

#include <map>
#include <memory>
#include <spdlog/spdlog.h>
#include <string>

#include "daemon/node/node.h"
#include "storage/lvm/snapshot.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

constexpr host::Duration tidy_pause = std::chrono::seconds(60);

using CleanVerdicts = std::map<std::string, LogStamp>;

struct Tidier {
  CleanVerdicts seen;
  bool working = false;
  bool again = false;
};

CleanVerdicts clean_verdicts(const ClusterState& state) {
  CleanVerdicts clean;
  for (const VolumeRecord& volume : state.volumes()) {
    if (volume.kind == VolumeKind::drbd && volume.verdict.kind == VerdictKind::clean) clean[volume.name.str()] = volume.verdict.after;
  }
  return clean;
}

asio::awaitable<Status> remove_spent(Node& node) {
  MCV_CO_TRY(const std::vector<lvm::Snapshot> there, co_await lvm::snapshots(node.host));
  const CleanVerdicts clean = clean_verdicts(node.shared.current());
  for (const lvm::Snapshot& snapshot : there) {
    const auto verdict = clean.find(snapshot.volume);
    if (verdict == clean.end() || !is_at_or_after(verdict->second, snapshot.after)) continue;
    MCV_CO_CHECK(co_await lvm::remove_snapshot(node.host, snapshot.name));
    spdlog::info("{}: verified clean; the copy that was overwritten, {}, is deleted", snapshot.volume, snapshot.name);
  }
  co_return success();
}

asio::awaitable<void> work(Node& node, std::shared_ptr<Tidier> tidier) {
  while (tidier->again) {
    tidier->again = false;
    const Status done = co_await remove_spent(node);
    if (done.ok()) continue;
    spdlog::warn("snapshots of repairs that are verified could not be deleted: {}", done.error().message());
    tidier->again = true;
    co_await node.host.clock.sleep_for(tidy_pause);
  }
  tidier->working = false;
}

void look(Node& node, const std::shared_ptr<Tidier>& tidier) {
  CleanVerdicts now = clean_verdicts(node.shared.current());
  if (now == tidier->seen) return;
  tidier->seen = std::move(now);
  if (tidier->seen.empty()) return;
  tidier->again = true;
  if (std::exchange(tidier->working, true)) return;
  node.tasks.spawn(work(node, tidier));
}

}  // namespace

void tidy_snapshots(Node& node) {
  const auto tidier = std::make_shared<Tidier>();
  node.shared.on_commit([&node, tidier]() { look(node, tidier); });
  look(node, tidier);
}

}  // namespace mcv
