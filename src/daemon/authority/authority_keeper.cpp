// SPDX-License-Identifier: Apache-2.0
#include "daemon/authority/authority_keeper.h"

#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <spdlog/spdlog.h>

#include "cluster/authority/acceptance.h"
#include "cluster/authority/lost_leg.h"
#include "cluster/authority/removal.h"
#include "cluster/authority/takeover.h"
#include "cluster/core/json_value.h"
#include "cluster/membership/ring_members.h"
#include "daemon/node/node.h"
#include "storage/drbd/volume_life.h"

namespace mcv {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr host::Duration retry_pause = 2s;
/// A leg that does not stay connected (two histories, say) is not tried all the time.
constexpr host::Duration connect_pause = 30s;
/// A VMM with I/O in flight to a frozen disk ignores SIGKILL: then only the node's reset ends it.
constexpr host::Duration lost_guest_bound = 90s;
constexpr host::Duration resume_bound = 20s;
constexpr std::chrono::milliseconds probe_bound{3'000};
constexpr host::Duration quiet = std::chrono::hours(1);

}  // namespace

AuthorityKeeper::AuthorityKeeper(Node& node) : node_(node), wake_(node.host.executor) {}

asio::awaitable<void> AuthorityKeeper::start() {
  co_await read_boot();
  was_together_ = node_.shared.link().state == LinkState::together;
  node_.shared.on_link([this](const Link& link) { on_link(link.state == LinkState::together); });
  node_.shared.on_commit([this]() { look_soon(); });
  node_.records.on_arrival([this]() { look_soon(); });
  node_.tasks.spawn(run());
  node_.tasks.spawn(watch_drbd());
  look_soon();
}

asio::awaitable<void> AuthorityKeeper::read_boot() {
  auto text = co_await node_.host.files.read("/proc/sys/kernel/random/boot_id");
  if (!text.ok()) {
    spdlog::warn("which boot this is cannot be read: {}", text.error().message());
    co_return;
  }
  boot_ = *text;
  while (!boot_.empty() && boot_.back() == '\n') boot_.pop_back();
}

void AuthorityKeeper::on_link(bool together) {
  if (together || was_together_) last_contact_ = {true, node_.host.clock.wall_seconds()};
  was_together_ = together;
  if (together) last_connect_.clear();
  look_soon();
}

void AuthorityKeeper::look_soon() {
  if (woken_) return;
  woken_ = true;
  wake_.push(true);
}

void AuthorityKeeper::look_again_in(host::Duration pause) {
  if (reminding_) return;
  reminding_ = true;
  node_.tasks.spawn(remind(pause));
}

asio::awaitable<void> AuthorityKeeper::remind(host::Duration pause) {
  co_await node_.host.clock.sleep_for(pause);
  reminding_ = false;
  look_soon();
}

asio::awaitable<void> AuthorityKeeper::watch_drbd() {
  for (;;) {
    const bool changed = co_await node_.drbd.wait_for_change(quiet);
    if (changed) look_soon();
  }
}

asio::awaitable<void> AuthorityKeeper::run() {
  for (;;) {
    const bool ignored = co_await wake_.next();
    static_cast<void>(ignored);
    woken_ = false;
    co_await look();
  }
}

asio::awaitable<void> AuthorityKeeper::look() {
  if (node_.departure.is_passive()) co_return;
  if (!node_.shared.current().is_cluster()) {
    co_await thaw_lone_legs();
    co_return;
  }
  co_await name_ended_generations();
  co_await go_on_after_leave();
  co_await come_back();
  co_await withdraw();
  co_await withdraw_consent();
  co_await note_equal_again();
  co_await prune();
  co_await end_lost_guests();
  co_await look_at_legs();
}

authority::Standpoint AuthorityKeeper::standpoint() const {
  const Link link = node_.shared.link();
  authority::Standpoint standpoint;
  standpoint.self = node_.self();
  if (const auto peer = node_.peer_record()) standpoint.peer = peer->name;
  standpoint.link = link.state;
  standpoint.peer_in_group = link.peer_in_group;
  standpoint.generations = node_.shared.generations();
  standpoint.ledger = authority::AloneLedger(node_.records.read(authority::alone_since_kind), node_.records.read(authority::alone_withdrawn_kind));
  standpoint.consents = authority::ConsentLedger(node_.records.read(authority::consent_kind), node_.records.read(authority::consent_withdrawn_kind));
  standpoint.boot = boot_;
  // Without contact the other side may have committed what is only tentative here: that it is back, above all.
  const auto left = [&](const NodeName& node) {
    if (link.state != LinkState::apart) return authority::left(node_.shared.current(), node);
    const auto record = node_.shared.with_tentative(Kind::node, node.str());
    return record ? authority::left_in(*record) : std::nullopt;
  };
  if (!standpoint.peer.empty()) standpoint.peer_left = left(standpoint.peer);
  // Of itself a node believes whichever binds it.
  standpoint.own_left = authority::left(node_.shared.current(), standpoint.self);
  if (!standpoint.own_left) standpoint.own_left = left(standpoint.self);
  standpoint.own_leave = authority::LeaveLedger(node_.records.read_own(authority::leave_kind), node_.records.read_own(authority::leave_ended_kind));
  add_policy(standpoint);
  return standpoint;
}

/// Of two nodes that lost each other in the middle of a change, each may have committed the other half of it.
void AuthorityKeeper::add_policy(authority::Standpoint& standpoint) const {
  const ClusterState& state = node_.shared.current();
  if (!state.is_cluster()) return;
  standpoint.peer_loss = authority::peer_loss_view(state, node_.shared.with_tentative(Kind::setting, peer_loss_setting));
  if (!authority::policy_lets_peer_run_alone(standpoint) && standpoint.peer_loss.here == PeerLoss::freeze) return;
  const std::string self = standpoint.self.str();
  std::map<VmName, bool> is_own;
  for (const VolumeRecord& volume : state.volumes()) {
    if (volume.kind != VolumeKind::drbd) continue;
    const auto [known, is_new] = is_own.try_emplace(volume.vm, false);
    if (is_new) {
      const auto vm = state.vm(volume.vm);
      const auto next = node_.shared.with_tentative(Kind::vm, volume.vm.str());
      known->second = vm.ok() && vm->owner == standpoint.self && next && value_in(*next, "owner", "") == self;
    }
    if (known->second) standpoint.own_volumes.insert(volume.name);
  }
}

void AuthorityKeeper::say_once(const std::string& what, const std::string& text) {
  if (said_[what] == text) return;
  said_[what] = text;
  if (!text.empty()) spdlog::warn("{}: {}", what, text);
}

NodeName AuthorityKeeper::owner_of(const VolumeRecord& volume) const {
  const auto vm = node_.shared.current().vm(volume.vm);
  return vm.ok() ? vm->owner : NodeName();
}

asio::awaitable<Result<std::string>> AuthorityKeeper::boot() {
  if (boot_.empty()) co_await read_boot();
  if (boot_.empty()) co_return Error(ErrorCode::io_error, "which boot of this node this is cannot be read").with_safe("nothing was changed").with_next("cat /proc/sys/kernel/random/boot_id");
  co_return boot_;
}

// --- leaves ------------------------------------------------------------------------------------------------

/// The other node left in order and is away now: the generation first, then the record of what this node goes on with, and
/// only then is anything thawed, promoted or changed. A leg that is attached later is named later.
asio::awaitable<void> AuthorityKeeper::go_on_after_leave() {
  authority::Standpoint now = standpoint();
  if (authority::may_go_on_by_consent(now)) {
    const std::string peer = now.peer.str();
    std::function<bool(const ClusterState&)> holds = [name = now.peer](const ClusterState& state) { return authority::has_left(state, name); };
    std::string proof = fmt::format("left: {} left in order ({})", peer, now.peer_left->id);
    auto taken = co_await node_.shared.take_generation_while(std::move(holds), std::move(proof));
    if (!taken.ok()) {
      say_once("leave of " + peer, taken.error().message());
      look_again_in(retry_pause);
      co_return;
    }
    spdlog::info("{} left in order: this node decides alone in generation {} until it is back", peer, taken->generation.counter);
    now = standpoint();
  }
  if (authority::authority_over_peer(now) != authority::Authority::by_consent) co_return;
  const bool replicates = node_.shared.current().setting("drbd") == "enabled";
  if (replicates && !node_.drbd.complete()) co_return;
  const GenerationRef generation = now.generations.back().ref;
  std::vector<VolumeName> covered = authority::newly_covered(now, node_.drbd.volumes());
  if (covered.empty() && now.ledger.names(now.self, generation)) co_return;
  authority::AloneSince since;
  since.generation = generation;
  since.index = node_.shared.position().index;
  since.cause = "left";
  since.boot = boot_;
  since.by = now.peer.str() + " left in order";
  since.wall_seconds = node_.host.clock.wall_seconds();
  since.peer_may_run_alone = authority::policy_lets_peer_run_alone(now);
  since.volumes = std::move(covered);
  Json body = since.to_json();
  auto written = co_await node_.records.append(authority::alone_since_kind, std::move(body));
  if (written.ok()) co_return;
  say_once("alone-since", written.error().message());
  look_again_in(retry_pause);
}

/// This node left, was booted again, and is in contact: both commit that it is back, then its own record ends. Up to then it
/// opens nothing replicated, so whoever still reads "left" may go on.
asio::awaitable<void> AuthorityKeeper::come_back() {
  for (;;) {
    const authority::Standpoint now = standpoint();
    const authority::ReturnStep step = authority::next_return_step(now, node_.shared.current());
    if (step == authority::ReturnStep::none || node_.leave.is_leaving()) co_return;
    Status done = success();
    if (step == authority::ReturnStep::say_it) {
      const auto own = authority::left(node_.shared.current(), now.self);
      if (!own) co_return;
      Change change = authority::back_change(now.self, *own);
      auto proposed = co_await node_.shared.propose(std::move(change));
      if (!proposed.ok()) done = std::move(proposed).error();
    } else {
      Json body = authority::leave_returned_to_json(now.own_leave.standing()->id, "back");
      auto written = co_await node_.records.append(authority::leave_ended_kind, std::move(body));
      if (!written.ok()) done = std::move(written).error();
      else spdlog::info("this node takes part again: it may open replicated disks that are current here");
    }
    if (done.ok()) continue;
    say_once("return", done.error().message());
    look_again_in(retry_pause);
    co_return;
  }
}

asio::awaitable<void> AuthorityKeeper::note_equal_again() {
  if (!node_.drbd.complete()) co_return;
  const auto equal = authority::equal_again(standpoint(), node_.shared.current(), node_.drbd.volumes());
  for (const auto& [id, volumes] : equal) {
    Json body = authority::leave_equal_to_json(id, volumes);
    auto written = co_await node_.records.append(authority::leave_ended_kind, std::move(body));
    if (written.ok()) continue;
    say_once("leave", written.error().message());
    look_again_in(retry_pause);
    co_return;
  }
}

// --- records -----------------------------------------------------------------------------------------------

/// Authority that contact ended before anything was done with it: the other node must not wait for what never comes.
asio::awaitable<void> AuthorityKeeper::name_ended_generations() {
  const authority::Standpoint now = standpoint();
  if (now.link == LinkState::alone) co_return;
  for (const GenerationRecord& record : now.generations) {
    if (record.ref.counter <= 1 || record.taken_by != now.self.str() || now.ledger.names(now.self, record.ref)) continue;
    authority::AloneSince none;
    none.generation = record.ref;
    none.index = record.base_index;
    none.cause = "contact came first";
    Json body = none.to_json();
    auto written = co_await node_.records.append(authority::alone_since_kind, std::move(body));
    if (!written.ok()) {
      say_once("alone-since", written.error().message());
      look_again_in(retry_pause);
      co_return;
    }
  }
}

asio::awaitable<void> AuthorityKeeper::withdraw() {
  if (!node_.drbd.complete()) co_return;
  const std::vector<VolumeName> done = authority::to_withdraw(standpoint(), node_.shared.current(), node_.drbd.volumes());
  if (done.empty()) co_return;
  for (const VolumeName& volume : done) spdlog::info("{}: both copies are equal again", volume.str());
  Json body = authority::withdrawal_to_json(done);
  auto written = co_await node_.records.append(authority::alone_withdrawn_kind, std::move(body));
  if (written.ok()) co_return;
  say_once("alone-withdrawn", written.error().message());
  look_again_in(retry_pause);
}

asio::awaitable<void> AuthorityKeeper::withdraw_consent() {
  const Status withdrawn = co_await node_.consents.withdraw();
  if (withdrawn.ok()) co_return;
  say_once("consent-withdrawn", withdrawn.error().message());
  look_again_in(retry_pause);
}

/// Every loss and every reboot leaves records: those that are over go, once both nodes hold the same.
asio::awaitable<void> AuthorityKeeper::prune() {
  if (node_.shared.link().state != LinkState::together || !node_.records.shipped()) co_return;
  std::vector<std::uint64_t> numbers =
      authority::ended_alone(node_.records.read_own(authority::alone_since_kind), node_.records.read_own(authority::alone_withdrawn_kind), node_.shared.generations());
  const std::vector<std::uint64_t> leaves = authority::ended_leaves(node_.records.read_own(authority::leave_kind), node_.records.read_own(authority::leave_ended_kind));
  numbers.insert(numbers.end(), leaves.begin(), leaves.end());
  if (numbers.empty()) co_return;
  const Status forgotten = co_await node_.records.forget(std::move(numbers));
  if (forgotten.ok()) co_return;
  say_once("records that are over", forgotten.error().message());
  look_again_in(retry_pause);
}

// --- guests ------------------------------------------------------------------------------------------------

asio::awaitable<void> AuthorityKeeper::end_lost_guests() {
  const std::vector<VmName> lost = authority::lost_guests(standpoint(), node_.shared.current(), node_.guests.facts());
  std::erase_if(lost_since_, [&](const auto& item) { return std::find(lost.begin(), lost.end(), item.first) == lost.end(); });
  for (const VmName& vm : lost) {
    look_again_in(retry_pause);
    const auto [since, is_new] = lost_since_.try_emplace(vm, node_.host.clock.now());
    if (is_new) spdlog::error("{} was taken over by the other node while this one was away: its guest here is ended", vm.str());
    const bool stands = node_.guests.facts(vm).state != RunState::unknown;
    if (stands && node_.host.clock.now() - since->second > lost_guest_bound) {
      co_await reset_node(vm);
      co_return;
    }
    auto plan = plans::end_lost_vm(node_.shared.current(), vm, node_.self());
    if (!plan.ok()) continue;
    auto submitted = co_await node_.operations.submit(std::move(*plan));
    // Busy: another operation holds it, or the one of a moment ago still tries.
    if (!submitted.ok() && submitted.error().code() != ErrorCode::busy) say_once(vm.str(), submitted.error().to_text());
  }
}

asio::awaitable<void> AuthorityKeeper::reset_node(VmName vm) {
  spdlog::critical("the VMM of {} cannot be ended, and the other node has the VM now: this node is reset", vm.str());
  host::Command reset;
  reset.argv = {"systemctl", "reboot", "--force", "--force"};
  auto done = co_await node_.host.processes.run(std::move(reset));
  if (!done.ok()) spdlog::critical("{}", done.error().to_text());
}

// --- legs --------------------------------------------------------------------------------------------------

asio::awaitable<void> AuthorityKeeper::look_at_legs() {
  if (!node_.drbd.complete()) co_return;
  const std::vector<VolumeRecord> volumes = node_.shared.current().volumes();
  std::optional<NodeFacts> peer;
  bool asked = false;
  for (const VolumeRecord& volume : volumes) {
    if (volume.kind != VolumeKind::drbd) continue;
    const drbd::ResourceFacts* seen = node_.drbd.find(volume.name);
    // Who goes on by consent does so step by step.
    if (seen == nullptr || going_on_.contains(volume.name)) continue;
    const bool wants_peer = node_.shared.link().state == LinkState::together && seen->facts.connection == ConnectionState::standalone &&
                            is_ours(volume.name);
    if (wants_peer && !asked) {
      asked = true;
      Look wanted;
      auto there = co_await node_.look_at_peer(std::move(wanted));
      if (there.ok()) peer = std::move(*there);
      look_again_in(retry_pause);
    }
    // After the wait everything is looked at anew.
    seen = node_.drbd.find(volume.name);
    if (seen == nullptr || !node_.drbd.complete()) continue;
    const VolumeFacts here = seen->facts;
    const authority::Standpoint now = standpoint();
    authority::LegQuestion question{now, volume.name, owner_of(volume), &here, nullptr, taken_apart_.contains(volume.name)};
    question.kernel_has_asked = node_.consents.kernel_has_asked(volume.name, here.suspended.held());
    const bool may_be_let_go_on = now.link == LinkState::together || now.peer_loss.here == PeerLoss::run_alone;
    if (here.suspended.held() && may_be_let_go_on) look_again_in(retry_pause);
    if (peer && peer->volumes.contains(volume.name.str())) question.at_peer = &peer->volumes.at(volume.name.str());
    const authority::LegStep step = authority::next_leg_step(question);
    if (step != authority::LegStep::leave) co_await take(volume.name, step);
  }
}

/// Whether a leg that stands alone does so because this node, or the consent between both, took it apart.
bool AuthorityKeeper::is_ours(const VolumeName& volume) const {
  const authority::Standpoint now = standpoint();
  return taken_apart_.contains(volume) || now.ledger.stands(now.self, volume) || now.consents.stands(now.self, volume) || now.consents.stands(now.peer, volume);
}

/// Apart from the looks: the other node is asked twice, and other volumes must not wait for its answers.
asio::awaitable<void> AuthorityKeeper::go_on_by_consent(VolumeName volume) {
  const Status done = co_await node_.consents.go_on(volume);
  going_on_.erase(volume);
  const drbd::ResourceFacts* seen = node_.drbd.find(volume);
  if (seen != nullptr && seen->facts.connection == ConnectionState::standalone) taken_apart_.insert(volume);
  if (done.ok()) spdlog::info("{}: goes on", volume.str());
  say_once(volume.str(), done.ok() ? std::string() : fmt::format("no consent: {}", done.error().message()));
  look_again_in(retry_pause);
}

/// The other node was removed, and this leg has no connection: a hold that came just before that waits for nobody.
asio::awaitable<void> AuthorityKeeper::thaw_lone_legs() {
  if (!node_.drbd.complete() || node_.shared.link().state != LinkState::single) co_return;
  const std::vector<VolumeRecord> volumes = node_.shared.current().volumes();
  for (const VolumeRecord& volume : volumes) {
    const drbd::ResourceFacts* seen = node_.drbd.find(volume.name);
    const bool waits = seen != nullptr && seen->facts.suspended.words() == "fencing" && seen->facts.connection == ConnectionState::standalone;
    if (waits) co_await take(volume.name, authority::LegStep::resume_io);
  }
}

asio::awaitable<void> AuthorityKeeper::take(VolumeName volume, authority::LegStep step) {
  Status done = success();
  switch (step) {
    case authority::LegStep::leave: co_return;
    case authority::LegStep::disconnect:
      taken_apart_.insert(volume);
      done = co_await drbd::ensure_disconnected(node_.host, node_.drbd, volume);
      break;
    case authority::LegStep::connect: {
      const host::Instant now = node_.host.clock.now();
      const auto last = last_connect_.find(volume);
      if (last != last_connect_.end() && now - last->second < connect_pause) co_return;
      last_connect_[volume] = now;
      done = co_await drbd::ensure_connecting(node_.host, node_.drbd, volume);
      if (done.ok()) taken_apart_.erase(volume);
      break;
    }
    case authority::LegStep::ask_consent:
      going_on_.insert(volume);
      node_.tasks.spawn(go_on_by_consent(volume));
      co_return;
    case authority::LegStep::run_alone:
      done = co_await node_.run_alone.resume(volume);
      break;
    case authority::LegStep::resume_io:
      done = co_await drbd::resume_io(node_.host, node_.drbd, volume);
      break;
  }
  if (done.ok()) {
    spdlog::info("{}: {}", volume.str(), authority::to_text(step));
    say_once(volume.str(), "");
    co_return;
  }
  say_once(volume.str(), fmt::format("{}: {}", authority::to_text(step), done.error().message()));
  look_again_in(retry_pause);
}

asio::awaitable<Status> AuthorityKeeper::prepare_promotion(VolumeName volume) {
  MCV_CO_CHECK(co_await node_.consents.withdraw());
  const drbd::ResourceFacts* seen = node_.drbd.find(volume);
  const authority::Standpoint now = standpoint();
  if (now.consents.stands(now.self, volume) && !now.ledger.accepted(now.self, volume)) co_return authority::set_aside_error(volume, now.peer);
  MCV_CO_CHECK(authority::newest_is_attached(now, volume, seen == nullptr ? nullptr : &seen->facts));
  if (!authority::may_promote(now, volume, seen == nullptr ? nullptr : &seen->facts)) {
    co_return Error(ErrorCode::no_authority, fmt::format("volume {}: nothing proves that {} is off, so its copy may be newer or in use", volume.str(), now.peer.str()))
        .with_safe("this copy was not opened for writing")
        .with_next(authority::deciding_command(now));
  }
  if (now.link != LinkState::alone) co_return success();
  if (seen == nullptr || seen->facts.connection == ConnectionState::connected) co_return success();
  taken_apart_.insert(volume);
  const Status apart = co_await drbd::ensure_disconnected(node_.host, node_.drbd, volume);
  co_return apart;
}

bool AuthorityKeeper::opens_older_copy(const VolumeName& volume) const {
  const drbd::ResourceFacts* seen = node_.drbd.complete() ? node_.drbd.find(volume) : nullptr;
  if (seen == nullptr || seen->facts.disk != DiskState::outdated || seen->facts.connection != ConnectionState::standalone) return false;
  const authority::Standpoint now = standpoint();
  return now.ledger.accepted(now.self, volume) && authority::may_promote(now, volume, &seen->facts);
}

asio::awaitable<Status> AuthorityKeeper::promote(VolumeName volume) {
  MCV_CO_CHECK(co_await prepare_promotion(volume));
  const bool is_older = opens_older_copy(volume);
  if (is_older) spdlog::warn("{}: this older copy is opened, as a person accepted", volume.str());
  Status promoted = success();
  if (is_older) promoted = co_await drbd::open_older_copy(node_.host, node_.drbd, volume);
  else promoted = co_await drbd::ensure_primary(node_.host, node_.drbd, volume);
  co_return promoted;
}

bool AuthorityKeeper::must_stay_apart(const VolumeRecord& volume) const {
  const drbd::ResourceFacts* seen = node_.drbd.find(volume.name);
  return authority::must_stay_apart(standpoint(), volume.name, owner_of(volume), seen == nullptr ? nullptr : &seen->facts);
}

authority::FenceAnswer AuthorityKeeper::answer_fence_peer(const VolumeName& volume) const {
  const drbd::ResourceFacts* seen = node_.drbd.complete() ? node_.drbd.find(volume) : nullptr;
  return authority::answer_fence_peer(standpoint(), volume, seen == nullptr ? nullptr : &seen->facts);
}

// --- an operator's word ------------------------------------------------------------------------------------

asio::awaitable<bool> AuthorityKeeper::peer_answers() {
  const auto record = node_.peer_record();
  if (!record || record->cluster_address.empty()) co_return false;
  if (node_.shared.link().peer_in_group) co_return true;
  host::PeerEndpoint endpoint = endpoint_of(*record);
  const bool answers = co_await node_.host.peers.answers(std::move(endpoint), probe_bound);
  if (answers || record->replication_address() == record->cluster_address) co_return answers;
  // Nothing of mcv listens there; a machine with power refuses all the same, also while DRBD is not connected.
  host::PeerEndpoint replication = endpoint_of(*record);
  replication.address = record->replication_address();
  const bool refuses = co_await node_.host.peers.answers(std::move(replication), probe_bound);
  co_return refuses;
}

asio::awaitable<authority::PathsToPeer> AuthorityKeeper::look_for_peer() {
  authority::PathsToPeer paths;
  paths.answers_on_peer_link = co_await peer_answers();
  const auto ring = co_await ring_members(node_.host.processes);
  const auto record = node_.peer_record();
  if (ring && record) paths.in_membership = ring->contains(record->id);
  paths.daemon_in_group = node_.shared.link().peer_in_group;
  const std::map<std::string, VolumeFacts> volumes = node_.drbd.volumes();
  for (const auto& [name, facts] : volumes) {
    if (facts.connection == ConnectionState::connected) paths.connected.push_back(VolumeName::trusted(name));
  }
  co_return paths;
}

asio::awaitable<Status> AuthorityKeeper::may_remove_dead() {
  authority::PathsToPeer paths = co_await look_for_peer();
  const authority::Standpoint now = standpoint();
  const std::map<std::string, VolumeFacts> here = node_.drbd.volumes();
  const authority::DeadRemoval question{now, node_.shared.current(), here, std::move(paths)};
  co_return authority::may_remove_dead(question);
}

asio::awaitable<Result<std::vector<VolumeName>>> AuthorityKeeper::covered_or_refused(std::string node, std::optional<authority::TypedFacts> facts) {
  const bool replicates = node_.shared.current().setting("drbd") == "enabled";
  if (replicates && !node_.drbd.complete()) {
    co_return Error(ErrorCode::no_authority, "what DRBD does on this node is not known yet").with_safe("nothing was changed; what is held stays held").with_next("hvctl drbd list, then the same command again");
  }
  MCV_CO_TRY(const std::string this_boot, co_await boot());
  static_cast<void>(this_boot);
  authority::PathsToPeer paths = co_await look_for_peer();
  const authority::Standpoint now = standpoint();
  authority::Coverage coverage = authority::coverage(now, node_.shared.current(), node_.drbd.volumes());
  const authority::ConfirmQuestion question{now, node, std::move(paths), coverage.covered, facts};
  MCV_CO_CHECK(authority::may_confirm_down(question));
  co_return std::move(coverage.covered);
}

asio::awaitable<Result<AuthorityKeeper::Confirmed>> AuthorityKeeper::confirm_down(std::string node, std::optional<authority::TypedFacts> facts, std::string by) {
  MCV_CO_TRY(const std::vector<VolumeName> covered, co_await covered_or_refused(node, facts));
  Confirmed result;
  result.covered = covered;
  const authority::Standpoint before = standpoint();
  result.left_out = authority::coverage(before, node_.shared.current(), node_.drbd.volumes()).left_out;
  result.after_leave = authority::asks_about_leave(before);
  result.two_histories = authority::stands_apart(before);
  if (const authority::Leave* leave = before.own_leave.standing()) result.left_at = leave->wall_seconds;
  else if (before.own_left) result.left_at = before.own_left->wall_seconds;
  if (!facts) co_return result;
  // As it was before the generation adopts what is tentative here.
  const bool peer_may_run_alone = authority::policy_lets_peer_run_alone(before);
  // At once when it was taken before this boot.
  std::string proof = "confirm-down: " + by;
  MCV_CO_TRY(const Committed taken, co_await node_.shared.take_generation(std::move(proof)));
  spdlog::warn("{} was confirmed down ({}): this node decides alone in generation {}", node, by, taken.generation.counter);
  authority::AloneSince since;
  since.generation = node_.shared.position().generation;
  since.index = taken.index;
  since.cause = "confirm-down";
  since.boot = boot_;
  since.by = by;
  since.volumes = covered;
  since.wall_seconds = node_.host.clock.wall_seconds();
  since.peer_may_run_alone = peer_may_run_alone;
  since.after_leave = result.after_leave;
  Json body = since.to_json();
  MCV_CO_TRY(const bool at_peer, co_await node_.records.append(authority::alone_since_kind, std::move(body)));
  static_cast<void>(at_peer);
  // From the record on this also ends by itself, should this daemon end here.
  if (result.after_leave) co_await come_back();
  look_soon();
  for (const VolumeName& volume : covered) {
    const drbd::ResourceFacts* seen = node_.drbd.find(volume);
    if (seen == nullptr || !seen->facts.suspended.held()) continue;
    drbd::Condition goes_on = [](const drbd::ResourceFacts* now) { return now == nullptr || !now->facts.suspended.held(); };
    const auto reached = co_await node_.drbd.wait_until(volume, std::move(goes_on), resume_bound, "writable again");
    (reached.ok() ? result.resumed : result.still_held).push_back(volume);
  }
  co_return result;
}

asio::awaitable<Result<AuthorityKeeper::Accepted>> AuthorityKeeper::accept_copy(VolumeName volume, std::string by) {
  authority::PathsToPeer paths = co_await look_for_peer();
  const authority::Standpoint now = standpoint();
  const drbd::ResourceFacts* seen = node_.drbd.complete() ? node_.drbd.find(volume) : nullptr;
  const authority::AcceptQuestion question{now, node_.shared.current(), volume, seen == nullptr ? nullptr : &seen->facts, std::move(paths)};
  MCV_CO_TRY(const authority::AcceptAnswer answer, authority::may_accept_copy(question));
  Accepted accepted{answer.volume.vm, authority::reason_text(volume, now.peer, answer.reason), authority::known_limit(volume, now.self, now.peer)};
  if (by.empty()) co_return accepted;
  authority::AloneSince since;
  since.generation = now.generations.back().ref;
  since.index = node_.shared.position().index;
  since.cause = authority::cause_accepted;
  since.boot = now.boot;
  since.by = by;
  since.volumes = {volume};
  since.wall_seconds = node_.host.clock.wall_seconds();
  // It becomes the newest record of the generation, and says all that the one before did.
  since.peer_may_run_alone = authority::policy_lets_peer_run_alone(now);
  since.after_leave = authority::decides_after_leave(now);
  Json body = since.to_json();
  MCV_CO_TRY(const bool at_peer, co_await node_.records.append(authority::alone_since_kind, std::move(body)));
  static_cast<void>(at_peer);
  spdlog::warn("{}: the copy here is used from now on, older or not ({})", volume.str(), by);
  look_soon();
  co_return accepted;
}

}  // namespace mcv
