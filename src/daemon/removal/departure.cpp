// SPDX-License-Identifier: Apache-2.0
#include "daemon/removal/departure.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "cluster/core/json_value.h"
#include "cluster/membership/corosync_service.h"
#include "daemon/node/node.h"
#include "daemon/node/paths.h"
#include "storage/drbd/volume_life.h"
#include "storage/lvm/quarantine.h"

namespace mcv {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr host::Duration departure_pause = 5s;
/// Asked at once when contact is lost or a start finds nobody, and then now and again: a removal is not urgent.
constexpr host::Duration ask_pause = 15s;
constexpr host::Duration unasked_pause = std::chrono::hours(1);

bool is_without_contact(LinkState state) {
  return state == LinkState::apart || state == LinkState::alone || state == LinkState::diverged || state == LinkState::removed;
}

}  // namespace

Departure::Departure(Node& node) : node_(node), wakeup_(node.host.executor) {}

asio::awaitable<Status> Departure::load() {
  auto text = co_await node_.host.files.read(paths::removed_file(node_.settings.state_directory));
  if (!text.ok() && text.error().code() == ErrorCode::not_found) co_return success();
  if (!text.ok()) co_return std::move(text).error();
  MCV_CO_TRY(const Json json, parse_json(*text));
  MCV_CO_TRY(RemovedNode told, RemovedNode::from_json(json));
  told_ = std::move(told);
  co_return success();
}

void Departure::start() {
  node_.shared.on_commit([this]() { wake(); });
  node_.shared.on_link([this](const Link&) { wake(); });
  node_.tasks.spawn(run());
}

void Departure::wake() { wakeup_.notify(); }

/// Nothing is given up on this node's own log alone: its copies are let go when the other node says that it goes on without them.
std::optional<RemovedNode> Departure::in_own_log() const {
  if (node_.shared.link().state != LinkState::removed) return std::nullopt;
  return removed_by_key(node_.shared.current(), node_.host.peers.own_fingerprint());
}

Json Departure::membership_of(const host::KeyFingerprint& caller) const {
  Json answer = {{"removed", nullptr}, {"passive", nullptr}};
  // To a removed key its own record, and to the member that goes on this node's. A stranger learns nothing.
  if (const auto removed = removed_by_key(node_.shared.current(), caller)) answer["removed"] = removed->to_json();
  const auto peer = node_.peer_record();
  if (!peer || peer->fingerprint != caller) return answer;
  if (const auto own = told_ ? told_ : in_own_log()) answer["passive"] = own->to_json();
  return answer;
}

bool Departure::is_passive() const { return told_ || node_.shared.link().state == LinkState::removed; }

Error Departure::refusal() const {
  const auto removed = told_ ? told_ : in_own_log();
  return Error(ErrorCode::removed, removed ? fmt::format("{} was removed from its cluster in generation {}", node_.self().str(), removed->generation)
                                           : fmt::format("{} was removed from its cluster", node_.self().str()))
      .with_safe("its copies are kept, in quarantine; nothing is started from them")
      .with_next("hvctl info, until it shows a cluster of one; then it can be added again: hvctl cluster add-node there");
}

asio::awaitable<void> Departure::run() {
  for (;;) {
    if (told_) {
      if (!under_way_) {
        const Status blank = co_await become_blank();
        const std::string now = blank.ok() ? "" : blank.error().to_text();
        if (now != said_ && !now.empty()) spdlog::warn("this node was removed from its cluster and is not blank yet: {}", now);
        said_ = now;
      }
      co_await wakeup_.wait_for(node_.host.clock, departure_pause);
      continue;
    }
    // It has nothing to say there any more; and the other node, should it not know yet, asks only whom it does not see.
    if (node_.shared.link().state == LinkState::removed) co_await node_.shared.stop_group();
    const bool ask = is_without_contact(node_.shared.link().state) && node_.peer_record().has_value();
    if (ask) co_await ask_the_other_node();
    if (told_) continue;
    co_await wakeup_.wait_for(node_.host.clock, ask ? ask_pause : unasked_pause);
  }
}

/// The remainder has no corosync any more, but its daemon answers the key it removed. And the other way round: a leaver that
/// committed its removal while the report of that was lost.
asio::awaitable<void> Departure::ask_the_other_node() {
  const auto peer = node_.peer_record();
  if (!peer || peer->cluster_address.empty()) co_return;
  auto answer = co_await node_.peer.post(*peer, "/peer/v1/membership", Json::object(), PeerClient::quick);
  if (!answer.ok()) co_return;
  auto removed = RemovedNode::from_json(value_in(*answer, "removed", Json()));
  Status done = success();
  if (removed.ok() && removed->node.name == node_.self() && removed->node.fingerprint == node_.host.peers.own_fingerprint()) {
    spdlog::warn("{} says that this node was removed from the cluster in generation {}", peer->name.str(), removed->generation);
    done = co_await write_down(std::move(*removed));
  }
  auto passive = RemovedNode::from_json(value_in(*answer, "passive", Json()));
  if (passive.ok() && passive->node.name == peer->name) done = co_await finish_commit(std::move(*passive));
  if (!done.ok()) spdlog::error("{}", done.error().to_text());
}

/// The leaver has it committed, so this node had it durable before: what it holds as tentative is what both agreed to.
asio::awaitable<Status> Departure::finish_commit(RemovedNode peer) {
  if (node_.shared.link().state != LinkState::apart) co_return success();
  std::function<bool(const ClusterState&)> holds = [peer](const ClusterState& state) {
    const auto removed = removed_by_key(state, peer.node.fingerprint);
    return removed && removed->removal == peer.removal;
  };
  std::string proof = fmt::format("removed: {} has committed its own removal", peer.node.name.str());
  auto taken = co_await node_.shared.take_generation_while(std::move(holds), std::move(proof));
  // Without that entry this node is not the one that goes on: nothing was changed.
  if (!taken.ok() && taken.error().code() != ErrorCode::no_authority) co_return std::move(taken).error();
  co_return success();
}

asio::awaitable<Status> Departure::write_down(RemovedNode told) {
  if (told_) co_return success();
  std::string text = canonical(told.to_json());
  MCV_CO_CHECK(co_await node_.host.files.write_durably(paths::removed_file(node_.settings.state_directory), std::move(text), 0600));
  told_ = std::move(told);
  wake();
  co_return success();
}

asio::awaitable<Status> Departure::finish(RemovedNode told) {
  MCV_CO_CHECK(co_await write_down(std::move(told)));
  if (under_way_) {
    co_return Error(ErrorCode::peer_unreachable, fmt::format("{} is becoming blank", node_.self().str())).with_next("hvctl info");
  }
  const Status blank = co_await become_blank();
  co_return blank;
}

asio::awaitable<Status> Departure::become_blank() {
  if (!told_ || under_way_) co_return success();
  const auto removed = told_;
  under_way_ = true;
  Status done = co_await leave_group();
  if (done.ok()) done = co_await put_copies_aside(removed->removal);
  if (done.ok()) done = co_await forget_cluster(removed->node);
  if (done.ok()) done = co_await node_.host.files.remove(paths::removed_file(node_.settings.state_directory));
  under_way_ = false;
  if (!done.ok()) co_return done;
  told_.reset();
  spdlog::warn("this node was removed from its cluster in generation {} and is blank now; what it had is in quarantine", removed->generation);
  co_return success();
}

asio::awaitable<Status> Departure::leave_group() {
  co_await node_.shared.stop_group();
  const Status gone = co_await ensure_corosync_gone(node_.host.processes, node_.host.files);
  co_return gone;
}

/// Nothing of a running guest is touched: its disks would be pulled from under it.
asio::awaitable<Status> Departure::put_copies_aside(OperationId removal) {
  const ClusterState state = node_.shared.current();
  for (const VmRecord& vm : state.vms()) {
    if (node_.guests.facts(vm.name).state == RunState::stopped) continue;
    co_return Error(ErrorCode::guest_running, fmt::format("{} still runs here", vm.name.str())).with_safe("its disk is not touched").with_next("shut it down inside");
  }
  for (const VolumeRecord& volume : state.volumes()) {
    const bool here = volume.kind == VolumeKind::drbd || volume.node == node_.self().str();
    if (!here) continue;
    Status aside = co_await put_aside(volume, removal);
    if (!aside.ok()) co_return aside;
  }
  for (const VmRecord& vm : state.vms()) {
    Status forgotten = co_await node_.guests.forget(vm.name);
    if (!forgotten.ok()) co_return forgotten;
  }
  co_return success();
}

asio::awaitable<Status> Departure::put_aside(VolumeRecord volume, OperationId removal) {
  MCV_CO_TRY(const PoolRecord pool, node_.shared.current().pool(volume.pool));
  co_await node_.leave_down(volume.name);
  if (volume.kind == VolumeKind::drbd) {
    MCV_CO_CHECK(co_await node_.ensure_drbd());
    MCV_CO_CHECK(co_await drbd::ensure_down(node_.host, node_.drbd, volume.name));
    MCV_CO_CHECK(co_await drbd::remove_resource_file(node_.host, volume.name));
  }
  lvm::Pool here = lvm::pool_on(pool, node_.self());
  const Status aside = co_await lvm::quarantine_backing(node_.host, std::move(here), volume.name, std::move(removal));
  co_return aside;
}

/// The configuration is the last to go: up to then it says what there is to put aside.
asio::awaitable<Status> Departure::forget_cluster(NodeRecord own) {
  MCV_CO_CHECK(co_await node_.secrets.remove(secret_names::drbd));
  MCV_CO_CHECK(co_await node_.secrets.remove(secret_names::corosync));
  const bool began = node_.shared.link().state == LinkState::single && !node_.shared.current().is_cluster() && !removed_by_key(node_.shared.current(), own.fingerprint);
  if (!began) {
    MCV_CO_CHECK(co_await node_.records.begin_anew());
    MCV_CO_CHECK(co_await node_.shared.begin_anew());
  }
  if (node_.own_record().ok()) co_return success();
  own.id = 1;
  Change change;
  change.id = node_.host.random.uuid();
  change.summary = fmt::format("node {} begins anew", own.name.str());
  change.mutations.push_back(put_new(own));
  MCV_CO_CHECK(co_await node_.shared.propose(std::move(change)));
  MCV_CO_CHECK(node_.listen_for_peer());
  co_return success();
}

}  // namespace mcv
