// SPDX-License-Identifier: Apache-2.0
#include "daemon/node/verify_alarm.h"

#include <spdlog/spdlog.h>
#include <utility>

#include "cluster/model/verify_policy.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

/// An age is counted in days.
constexpr std::chrono::minutes between_looks{10};

}  // namespace

asio::awaitable<void> VerifyAlarm::watch() {
  for (;;) {
    look();
    co_await clock_.sleep_for(between_looks);
  }
}

void VerifyAlarm::look() {
  const ClusterState& state = shared_.current();
  std::set<VolumeName> overdue;
  for (const VolumeRecord& volume : state.volumes()) {
    const auto text = verify_overdue(volume, state, clock_.wall_seconds());
    if (!text) continue;
    overdue.insert(volume.name);
    if (!overdue_.contains(volume.name)) spdlog::warn("{}; next: hvctl verify {}", *text, volume.vm.str());
  }
  for (const VolumeName& name : overdue_) {
    if (!overdue.contains(name) && state.volume(name).ok()) spdlog::info("{} is not overdue for a verify any more", name.str());
  }
  overdue_ = std::move(overdue);
}

}  // namespace mcv
