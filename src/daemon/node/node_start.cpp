// SPDX-License-Identifier: Apache-2.0
// From nothing to a node that takes part: what the daemon needs at once, and what it goes on trying for.
#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "cluster/membership/corosync_service.h"
#include "daemon/node/bridges.h"
#include "daemon/node/node.h"
#include "daemon/node/paths.h"
#include "daemon/node/snapshot_tidy.h"
#include "daemon/node/verify_timer.h"
#include "net/bridge.h"
#include "storage/drbd/volume_life.h"
#include "storage/lvm/backing.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

using namespace std::chrono_literals;

constexpr host::Duration first_pause = 2s;
constexpr host::Duration longest_pause = 60s;

/// What the log calls them.
namespace part {
constexpr const char* replication = "replication";
constexpr const char* networks = "networks";
constexpr const char* peer_port = "peer port";
constexpr const char* cluster = "corosync";
constexpr std::array all = {replication, networks, peer_port, cluster};
}  // namespace part

}  // namespace

asio::awaitable<Status> Node::start() {
  MCV_CO_CHECK(co_await host.files.make_directory(settings.state_directory, 0700));
  MCV_CO_CHECK(co_await secrets.load());
  MCV_CO_CHECK(co_await shared.load());
  MCV_CO_CHECK(co_await records.load());
  audit.load();
  co_await verify_history.close_open();
  verify_gate.notice();
  records.on_arrival([this]() { verify_gate.notice(); });
  MCV_CO_CHECK(co_await reservation.load());
  MCV_CO_CHECK(co_await departure.load());
  // Facts before intent: what runs and what the kernel holds is known before any journal is looked at.
  std::vector<VmName> known;
  for (const VmRecord& vm : shared.current().vms()) known.push_back(vm.name);
  MCV_CO_TRY(const std::vector<std::string> strangers, co_await guests.adopt_all(std::move(known)));
  for (const std::string& stranger : strangers) spdlog::warn("a VMM service runs for {}, which is not in the configuration", stranger);
  for (const VolumeRecord& volume : shared.current().volumes()) {
    if (volume.kind == VolumeKind::drbd) volumes_to_bring_up_.insert(volume.name);
  }
  // Before corosync is joined: no contact, and no change of a leg, goes unseen.
  co_await authority.start();
  lost_disks.start();
  co_await start_parts();
  shared.on_commit([this]() { on_commit(); });
  tidy_snapshots(*this);
  follow_verify_calendar(*this);
  MCV_CO_CHECK(co_await operations.resume_all());
  has_resumed_ = true;
  join_watch.begin();
  release_what_ended_while_away();
  departure.start();
  tasks.spawn(verify_alarm.watch());
  pools.begin();
  late_deletes.begin();
  finish_start_soon();
  co_return success();
}

/// A network that another node made while this one was away needs its bridge here, too.
void Node::on_commit() {
  committed_.notify();
  if (bridges_wanted() == bridges_realised_ || !is_started(part::networks)) return;
  start_problems_.erase(part::networks);
  finish_start_soon();
}

void Node::finish_start_soon() {
  if (finishing_start_ || start_is_finished()) return;
  finishing_start_ = true;
  tasks.spawn(finish_start());
}

/// A tool that hung once, or an address that comes late, must not leave the node half started until the next restart.
asio::awaitable<void> Node::finish_start() {
  host::Duration pause = first_pause;
  for (;;) {
    co_await start_parts();
    co_await bring_up_volumes();
    if (start_is_finished()) break;
    co_await host.clock.sleep_for(pause);
    pause = std::min(pause * 2, longest_pause);
  }
  finishing_start_ = false;
}

/// Every part is tried even if another one fails: without DRBD local VMs still work, without corosync guests go on.
asio::awaitable<void> Node::start_parts() {
  if (!is_started(part::replication)) {
    auto ready = co_await start_replication();
    note_start(part::replication, ready);
  }
  if (!is_started(part::networks)) {
    auto realised = co_await realise_networks();
    note_start(part::networks, realised);
  }
  if (!is_started(part::peer_port)) note_start(part::peer_port, listen_for_peer());
  if (!is_started(part::cluster)) {
    auto grouped = co_await start_cluster();
    note_start(part::cluster, grouped);
  }
}

bool Node::is_started(const std::string& part) const {
  const auto found = start_problems_.find(part);
  return found != start_problems_.end() && found->second.empty();
}

bool Node::start_is_finished() const {
  const auto started = [this](const char* name) { return is_started(name); };
  return std::all_of(part::all.begin(), part::all.end(), started) && volumes_to_bring_up_.empty();
}

/// Said once, not at each attempt.
void Node::note_start(const std::string& part, const Status& status) {
  std::string& problem = start_problems_[part];
  std::string now = status.ok() ? std::string() : status.error().to_text();
  if (now == problem) return;
  if (status.ok()) spdlog::info("{}: well now", part);
  else spdlog::error("{}: {}", part, now);
  problem = std::move(now);
}

asio::awaitable<Status> Node::start_replication() {
  if (shared.current().setting("drbd") != "enabled") co_return success();
  const Status ready = co_await ensure_drbd();
  co_return ready;
}

std::set<std::string> Node::bridges_wanted() const {
  std::set<std::string> bridges;
  for (const auto& [key, entry] : shared.current().all(Kind::network)) {
    if (const auto network = NetworkRecord::from_json(entry.value); network.ok()) bridges.insert(network->bridge);
  }
  return bridges;
}

/// Bridges that mcv made live until the node's reboot: those that `node init` made and those the networks need are made
/// again, and plugged into what they were. A bridge whose uplink is missing is there all the same: its guests can start.
asio::awaitable<Status> Node::realise_networks() {
  const std::set<std::string> wanted = bridges_wanted();
  Status all = success();
  Bridges bridges;
  auto remembered = co_await read_bridges(host.files, paths::bridges_file(settings.state_directory));
  if (remembered.ok()) bridges = std::move(*remembered);
  else all = std::move(remembered).error();
  for (const std::string& bridge : wanted) bridges.try_emplace(bridge);
  for (const auto& [bridge, uplink] : bridges) {
    auto made = co_await net::ensure_bridge(host, bridge, std::nullopt);
    if (made.ok() && uplink) made = co_await net::ensure_bridge(host, bridge, uplink);
    if (!made.ok()) all = std::move(made).error().with_context("bridge " + bridge);
  }
  bridges_realised_ = wanted;
  co_return all;
}

asio::awaitable<Status> Node::start_cluster() {
  if (!shared.current().is_cluster() || departure.is_passive()) co_return success();
  const Status running = co_await ensure_corosync_running(host.processes, Written::no);
  MCV_CO_CHECK(co_await shared.start_group());
  co_return running;
}

/// After a reboot nothing replicated is in the kernel. Each leg is attached and connected as Secondary, nothing is promoted.
asio::awaitable<void> Node::bring_up_volumes() {
  // Closed for good: this node left, and only another boot comes back. Or it was removed.
  if (leave.keeps_closed() || departure.is_passive()) volumes_to_bring_up_.clear();
  const std::set<VolumeName> names = volumes_to_bring_up_;
  for (const VolumeName& name : names) {
    if (!volumes_to_bring_up_.contains(name)) continue;
    const auto volume = shared.current().volume(name);
    const auto vm = volume.ok() ? shared.current().vm(volume->vm) : Result<VmRecord>(volume.error());
    if (!vm.ok() || vm->deleting) {
      // Who deletes it finishes that.
      volumes_to_bring_up_.erase(name);
      continue;
    }
    if (is_being_built(volume->vm)) continue;
    // DRBD gave the disk up while this daemon was away: what took it away may still be there, and a person attaches it again.
    const drbd::ResourceFacts* seen = drbd.complete() ? drbd.find(name) : nullptr;
    if (seen != nullptr && seen->minor && seen->facts.disk == DiskState::diskless && seen->facts.connection == ConnectionState::connected) {
      volumes_to_bring_up_.erase(name);
      continue;
    }
    const Status up = co_await bring_up(*volume);
    note_start(name.str(), up);
    if (up.ok()) volumes_to_bring_up_.erase(name);
  }
}

/// By an interrupted operation that goes on by itself; afterwards we look again. Every other operation may need the volume.
bool Node::is_being_built(const VmName& vm) const {
  const auto holder = operations.holder_of("vm/" + vm.str());
  if (!holder) return false;
  const auto view = operations.get(*holder);
  return view.ok() && (view->kind == "vm-create" || view->kind == "vm-delete" || view->kind == "vm-replicate" || view->kind == "vm-localise");
}

asio::awaitable<Status> Node::bring_up(VolumeRecord volume) {
  const VolumeName name = volume.name;
  being_brought_up_.insert(name);
  const Status up = co_await attach_and_connect(std::move(volume));
  being_brought_up_.erase(being_brought_up_.find(name));
  brought_up_.notify();
  co_return up;
}

asio::awaitable<Status> Node::attach_and_connect(VolumeRecord volume) {
  MCV_CO_TRY(const PoolRecord pool, shared.current().pool(volume.pool));
  lvm::Pool here = lvm::pool_on(pool, self_);
  MCV_CO_TRY(const auto backing, co_await lvm::find_backing(host, std::move(here), volume.name));
  if (!backing) co_return Error(ErrorCode::not_found, fmt::format("the logical volume of {} is not here", volume.name.str()));
  const Status up = co_await ensure_up(std::move(volume));
  co_return up;
}

asio::awaitable<Status> Node::ensure_up(VolumeRecord volume) {
  if (leave.keeps_closed()) {
    co_return Error(ErrorCode::no_authority, fmt::format("volume {} is not brought up: {} leaves", volume.name.str(), self_.str()))
        .with_safe("the other node's copy is not concerned")
        .with_next("systemctl reboot");
  }
  if (departure.is_passive()) co_return departure.refusal();
  const bool apart = authority.must_stay_apart(volume);
  const Status up = co_await drbd::ensure_up(host, drbd, volume.name, apart);
  if (apart) authority.took_apart(volume.name);
  authority.look_soon();
  co_return up;
}

asio::awaitable<void> Node::leave_down(VolumeName volume) {
  volumes_to_bring_up_.erase(volume);
  while (being_brought_up_.contains(volume)) co_await brought_up_.wait();
}

}  // namespace mcv
