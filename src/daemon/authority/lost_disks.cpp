// SPDX-License-Identifier: Apache-2.0
#include "daemon/authority/lost_disks.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "cluster/authority/lost_leg.h"
#include "cluster/model/lost_disk.h"
#include "daemon/log/event_log.h"
#include "daemon/node/node.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

constexpr host::Duration write_again_in = std::chrono::seconds(2);
constexpr host::Duration quiet_spell = std::chrono::hours(1);

}  // namespace

LostDisks::LostDisks(Node& node) : node_(node), wake_(node.host.executor) {}

void LostDisks::start() {
  node_.shared.on_commit([this]() { look_soon(); });
  node_.records.on_arrival([this]() { look_soon(); });
  node_.tasks.spawn(run());
  node_.tasks.spawn(watch_drbd());
  look_soon();
}

void LostDisks::look_soon() {
  if (woken_) return;
  woken_ = true;
  wake_.push(true);
}

asio::awaitable<void> LostDisks::watch_drbd() {
  for (;;) {
    const bool changed = co_await node_.drbd.wait_for_change(quiet_spell);
    if (changed) look_soon();
  }
}

asio::awaitable<void> LostDisks::run() {
  for (;;) {
    const bool ignored = co_await wake_.next();
    static_cast<void>(ignored);
    woken_ = false;
    const Status written = co_await look();
    if (written.ok()) continue;
    spdlog::error("a copy that is behind could not be set aside: {}", written.error().message());
    node_.tasks.spawn(retry());
  }
}

asio::awaitable<void> LostDisks::retry() {
  co_await node_.host.clock.sleep_for(write_again_in);
  look_soon();
}

asio::awaitable<Status> LostDisks::look() {
  if (!node_.drbd.complete() || !node_.shared.current().is_cluster() || node_.departure.is_passive()) co_return success();
  tell();
  // After each record all is looked at anew.
  for (;;) {
    const authority::Standpoint now = node_.authority.standpoint();
    const std::map<std::string, VolumeFacts> volumes = node_.drbd.volumes();
    const std::vector<VolumeName> here = authority::lost_here(now, node_.shared.current(), volumes);
    if (!here.empty()) {
      MCV_CO_CHECK(co_await set_aside(here.front()));
      continue;
    }
    const std::vector<VolumeName> there = authority::lost_there(now, node_.shared.current(), volumes);
    if (there.empty()) co_return success();
    MCV_CO_CHECK(co_await keep(there.front()));
  }
}

asio::awaitable<Status> LostDisks::set_aside(VolumeName volume) {
  const authority::Standpoint now = node_.authority.standpoint();
  authority::Consent consent{volume, now.peer, node_.shared.position().generation, node_.shared.position().index, now.boot, authority::cause_disk_lost};
  Json record = consent.to_json();
  auto written = co_await node_.records.append(authority::consent_kind, std::move(record));
  if (!written.ok()) co_return std::move(written).error();
  spdlog::warn("{}: DRBD gave the disk here up; this copy is set aside until both are equal again", volume.str());
  co_return success();
}

asio::awaitable<Status> LostDisks::keep(VolumeName volume) {
  const authority::Standpoint now = node_.authority.standpoint();
  authority::AloneSince since;
  since.index = node_.shared.position().index;
  since.cause = authority::cause_disk_lost;
  since.boot = now.boot;
  since.by = fmt::format("DRBD gave the disk on {} up", now.peer.str());
  since.volumes = {volume};
  since.wall_seconds = node_.host.clock.wall_seconds();
  Json record = since.to_json();
  auto written = co_await node_.records.append(authority::alone_since_kind, std::move(record));
  if (!written.ok()) co_return std::move(written).error();
  spdlog::warn("{}: DRBD gave the disk on {} up; the copy here is the only one with what is written from now on", volume.str(), now.peer.str());
  co_return success();
}

/// Once a loss: whoever collects logs hears of it although nobody looks.
void LostDisks::tell() {
  const std::string self = node_.self().str();
  const auto peer = node_.peer_record();
  if (!peer) return;
  const std::map<std::string, VolumeFacts> volumes = node_.drbd.volumes();
  for (const VolumeRecord& volume : node_.shared.current().volumes()) {
    const auto seen = volumes.find(volume.name.str());
    if (volume.kind != VolumeKind::drbd || seen == volumes.end()) continue;
    const auto lost = lost_disk(seen->second, volume, self, peer->name.str());
    LogEvent event;
    if (lost && told_.insert(volume.name).second) {
      event.level = LogLevel::warning;
      event.message = fmt::format("{}; {}", lost->text, lost->next);
    } else if (!lost && seen->second.redundant() && told_.erase(volume.name) != 0) {
      event.message = fmt::format("{} is redundant again", volume.name.str());
    } else {
      continue;
    }
    event.fields = {{log_fields::node, self}, {log_fields::vm, volume.vm.str()}, {log_fields::kind, "disk"}, {log_fields::object, "volume/" + volume.name.str()}, {log_fields::state, lost ? "lost" : "redundant"}};
    log_event(std::move(event));
  }
}

}  // namespace mcv
