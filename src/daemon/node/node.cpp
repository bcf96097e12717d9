// SPDX-License-Identifier: Apache-2.0
#include "daemon/node/node.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "cluster/core/json.h"
#include "cluster/model/removal.h"
#include "daemon/actions/actions.h"
#include "daemon/node/node_events.h"
#include "daemon/node/paths.h"
#include "daemon/peer/peer_service.h"
#include "storage/drbd/volume_life.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

Operations::Settings operation_settings(const NodeName& self, const NodeSettings& settings, AuditBook& audit) {
  Operations::Settings result;
  result.node = self;
  result.on_broken_store = settings.on_failure;
  result.on_news = [self, &audit](OperationNews news, const OperationView& view) {
    log_event(operation_event(self, news, view));
    if (news == OperationNews::ended) audit.note_end(view);
  };
  return result;
}

}  // namespace

Node::Node(host::Host& given_host, NodeSettings given_settings)
    : host(given_host),
      settings(std::move(given_settings)),
      self_(NodeName::trusted(host.hostname)),
      tasks(host.executor),
      shared(host, settings.abilities),
      records(host, shared),
      verify_gate(host.clock, shared, records),
      verify_history(host.clock, shared, records),
      verify_alarm(host.clock, shared),
      secrets(host.files, paths::secrets_file(this->settings.state_directory)),
      reservation(host.files, paths::join_file(this->settings.state_directory)),
      drbd(host),
      guests(host, settings.guests),
      peer(host.peers),
      invitations(host.clock, host.random),
      observer(host, self_, drbd, guests, pools),
      local_steps(host.executor, actions),
      router(self_, local_steps, peer, [this](const NodeName& name) { return member(name); }, tasks),
      operations(host.executor, host.clock, host.store, router, operation_settings(self_, settings, audit)),
      authority(*this),
      consents(*this),
      run_alone(*this),
      leave(*this),
      departure(*this),
      brought_up_(host.executor),
      committed_(host.executor) {
  add_actions(*this);
  shared.on_failure(settings.on_failure);
  shared.on_link([this, last = LinkState::uninitialised](const Link& link) mutable {
    if (std::exchange(last, link.state) != link.state) log_event(link_event(self_, link, shared.position()));
  });
  guests.on_change([this](const VmName& vm) { on_guest_change(vm); });
}

Node::~Node() = default;

asio::awaitable<void> Node::stop() {
  co_await operations.stop();
  co_await local_steps.stop();
  static_cast<void>(host.peers.listen("", 0, {}));
  co_await guests.close();
  co_await records.stop();
  co_await shared.stop();
  tasks.cancel();
  co_await tasks.join();
}

Result<NodeRecord> Node::own_record() const {
  auto record = shared.current().node(self_);
  if (record.ok()) return record;
  return Error(ErrorCode::not_initialised, fmt::format("{} is not initialised yet", self_.str())).with_safe("nothing was changed").with_next("hvctl node init --all");
}

std::optional<NodeRecord> Node::peer_record() const {
  for (const NodeRecord& node : shared.current().nodes()) {
    if (node.name != self_) return node;
  }
  return std::nullopt;
}

Result<NodeRecord> Node::member(const NodeName& name) const { return shared.current().node(name); }

Status Node::listen_for_peer() {
  auto record = shared.current().node(self_);
  // One whose removal is in its own log is where it was: the node that stays may not have it committed yet, and asks.
  if (const auto removed = removed_by_key(shared.current(), host.peers.own_fingerprint()); !record.ok() && removed) record = removed->node;
  if (!record.ok() || record->cluster_address.empty()) return success();
  auto handler = [this](host::KeyFingerprint caller, host::HttpRequest request) { return serve_peer(*this, std::move(caller), std::move(request)); };
  return host.peers.listen(record->cluster_address, record->peer_port, std::move(handler));
}

asio::awaitable<Status> Node::ensure_drbd() {
  MCV_CO_CHECK(co_await drbd::ensure_module(host));
  if (!drbd_reading_) {
    drbd_reading_ = true;
    tasks.spawn(drbd.run());
  }
  co_return success();
}

asio::awaitable<bool> Node::wait_until_owner(VmName vm, host::Duration bound) {
  const host::Instant deadline = host.clock.now() + bound;
  for (;;) {
    const auto record = shared.current().vm(vm);
    if (record.ok() && record->owner == self_) co_return true;
    const host::Instant now = host.clock.now();
    if (now >= deadline) co_return false;
    co_await committed_.wait_for(host.clock, deadline - now);
  }
}

asio::awaitable<Result<std::uint32_t>> Node::user_id(std::string user) {
  MCV_CO_TRY(const std::string text, co_await host.files.read("/etc/passwd"));
  const std::string prefix = user + ":";
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const std::string line = text.substr(start, end - start);
    start = end + 1;
    if (!line.starts_with(prefix)) continue;
    const std::size_t password_end = line.find(':', prefix.size());
    if (password_end == std::string::npos) break;
    co_return static_cast<std::uint32_t>(std::strtoul(line.c_str() + password_end + 1, nullptr, 10));
  }
  co_return Error(ErrorCode::not_found, fmt::format("there is no user {}", user)).with_next("systemd-sysusers, or install the mcv package again");
}

void Node::on_guest_change(const VmName& vm) {
  const VmFacts facts = guests.facts(vm);
  log_event(guest_event(self_, vm, facts));
  authority.look_soon();
  if (facts.state != RunState::stopped || facts.last_exit == ExitReason::none) return;
  if (takes_operations_) tasks.spawn(release_after_power_off(vm));
  else ended_while_away_.insert(vm);
}

/// Guests that ended while no daemon looked are found before the journals are read; their disks and taps are released now.
void Node::release_what_ended_while_away() {
  takes_operations_ = true;
  for (const VmName& vm : std::exchange(ended_while_away_, {})) tasks.spawn(release_after_power_off(vm));
}

/// Whoever holds the VM now (a stop, a migration) releases it as a step of its own, unless it fails before that step.
asio::awaitable<void> Node::release_after_power_off(VmName vm) {
  while (guests.facts(vm).state == RunState::stopped) {
    auto plan = plans::release_vm(shared.current(), vm, self_);
    if (!plan.ok()) co_return;
    auto submitted = co_await operations.submit(std::move(*plan));
    if (submitted.ok()) co_return;
    const auto holder = operations.holder_of("vm/" + vm.str());
    if (submitted.error().code() != ErrorCode::busy || !holder) {
      spdlog::warn("{}: {}", vm.str(), submitted.error().to_text());
      co_return;
    }
    const OperationId id = *holder;
    const auto ended = co_await operations.wait_end(id);
    if (ended.ok() && ended->outcome == OperationOutcome::succeeded && plans::releases_guest(ended->kind)) co_return;
    co_await host.clock.sleep_for(std::chrono::seconds(1));
  }
}

}  // namespace mcv
