// SPDX-License-Identifier: Apache-2.0
#include "daemon/authority/consent_desk.h"

#include <fmt/format.h>
#include <memory>
#include <spdlog/spdlog.h>

#include "cluster/core/json_value.h"
#include "cluster/host/race.h"
#include "daemon/node/node.h"
#include "storage/drbd/volume_life.h"

namespace mcv {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

/// Of one table: the kernel's program gives up after 30 s, five of which a restarting daemon may take.
constexpr host::Duration notice_bound = 6s;  ///< until the asked node's kernel has noticed the loss too: both do within 3 s
constexpr host::Duration mark_bound = 5s;
constexpr std::chrono::milliseconds ask_bound{20'000};
constexpr host::Duration loss_look = 250ms;
/// The kernel asks within a moment of the loss, and its program looks for a restarting daemon for 5 s.
constexpr host::Duration kernel_asks_within = 10s;

}  // namespace

NodeName ConsentDesk::owner_of(const VolumeName& volume) const {
  const auto record = node_.shared.current().volume(volume);
  if (!record.ok() || record->kind != VolumeKind::drbd) return NodeName();
  const auto vm = node_.shared.current().vm(record->vm);
  return vm.ok() ? vm->owner : NodeName();
}

// --- who asks ----------------------------------------------------------------------------------------------

asio::awaitable<authority::FenceAnswer> ConsentDesk::answer_kernel(VolumeName volume) {
  const authority::FenceAnswer own = node_.authority.answer_fence_peer(volume);
  if (own != authority::FenceAnswer::hold) co_return own;
  Status consent = Error(ErrorCode::no_authority, "the other node was lost meanwhile");
  // A node that loses its power does not refuse: where its loss decides, nobody waits for its answer.
  const bool loss_decides = node_.authority.standpoint().peer_loss.here == PeerLoss::run_alone;
  if (loss_decides) co_await host::race(ask_for(volume, consent), wait_for_loss());
  else consent = co_await ask(volume);
  if (consent.ok()) co_return authority::FenceAnswer::peer_outdated;
  const Status alone = co_await node_.run_alone.write_down(volume);
  if (alone.ok()) co_return authority::FenceAnswer::peer_unreachable;
  spdlog::warn("{}: no consent: {}", volume.str(), consent.error().message());
  co_return authority::FenceAnswer::hold;
}

asio::awaitable<void> ConsentDesk::ask_for(VolumeName volume, Status& answer) {
  Status asked = co_await ask(volume);
  answer = std::move(asked);
}

asio::awaitable<void> ConsentDesk::wait_for_loss() {
  while (node_.shared.link().state != LinkState::apart) co_await node_.host.clock.sleep_for(loss_look);
}

asio::awaitable<Status> ConsentDesk::ask(VolumeName volume) {
  const auto peer = node_.peer_record();
  const drbd::ResourceFacts* seen = node_.drbd.complete() ? node_.drbd.find(volume) : nullptr;
  const authority::Standpoint now = node_.authority.standpoint();
  MCV_CO_CHECK(authority::may_ask_for_consent(now, volume, owner_of(volume), seen == nullptr ? nullptr : &seen->facts));
  if (!peer) co_return Error(ErrorCode::no_authority, "there is no other node");
  const GenerationRef generation = node_.shared.position().generation;
  Json body = {{"volume", volume.str()}, {"counter", generation.counter}, {"uuid", generation.uuid}};
  // As long as this is asked, the other node gets no consent for the same volume from here.
  // Until this ends, however it does.
  const std::shared_ptr<void> asking(nullptr, [this, mark = asking_.insert(volume)](void*) { asking_.erase(mark); });
  auto answer = co_await node_.peer.post(*peer, "/peer/v1/consent", std::move(body), ask_bound);
  if (!answer.ok()) co_return std::move(answer).error();
  if (!value_in(*answer, "set_aside", false)) co_return Error(ErrorCode::bad_output, "the other node's answer is not understood");
  spdlog::warn("{}: {} set its copy aside, this node goes on without it", volume.str(), peer->name.str());
  co_return success();
}

asio::awaitable<Status> ConsentDesk::go_on(VolumeName volume) {
  MCV_CO_CHECK(co_await ask(volume));
  MCV_CO_CHECK(co_await drbd::ensure_disconnected(node_.host, node_.drbd, volume));
  // Before it stood alone a reconnect may have ended the consent again. From here on none can.
  MCV_CO_CHECK(co_await ask(volume));
  const drbd::ResourceFacts* seen = node_.drbd.complete() ? node_.drbd.find(volume) : nullptr;
  if (seen == nullptr || seen->facts.connection != ConnectionState::standalone || seen->facts.suspended.words() != "fencing") {
    co_return Error(ErrorCode::no_authority, fmt::format("{} changed meanwhile", volume.str()));
  }
  const Status resumed = co_await drbd::resume_io(node_.host, node_.drbd, volume);
  co_return resumed;
}

bool ConsentDesk::kernel_has_asked(const VolumeName& volume, bool held) {
  if (!held) {
    held_since_.erase(volume);
    return false;
  }
  const auto [since, is_new] = held_since_.try_emplace(volume, node_.host.clock.now());
  return !asking_.contains(volume) && node_.host.clock.now() - since->second >= kernel_asks_within;
}

// --- who is asked ------------------------------------------------------------------------------------------

Result<authority::ConsentStep> ConsentDesk::decide(const VolumeName& volume, const GenerationRef& asked) const {
  const drbd::ResourceFacts* seen = node_.drbd.complete() ? node_.drbd.find(volume) : nullptr;
  const authority::Standpoint now = node_.authority.standpoint();
  authority::ConsentQuestion question{now, volume, owner_of(volume), node_.shared.position().generation, asked};
  question.here = seen == nullptr ? nullptr : &seen->facts;
  question.asks_itself = asking_.contains(volume);
  return authority::may_consent(question);
}

asio::awaitable<Status> ConsentDesk::give(VolumeName volume, GenerationRef asked) {
  const host::Instant until = node_.host.clock.now() + notice_bound;
  authority::ConsentStep step = authority::ConsentStep::wait;
  for (;;) {
    MCV_CO_TRY(step, decide(volume, asked));
    if (step != authority::ConsentStep::wait) break;
    const host::Duration left = until - node_.host.clock.now();
    if (left <= host::Duration(0)) co_return Error(ErrorCode::timed_out, fmt::format("{} is connected, as DRBD on {} says", volume.str(), node_.self().str()));
    const bool ignored = co_await node_.drbd.wait_for_change(left);
    static_cast<void>(ignored);
  }
  const authority::Standpoint now = node_.authority.standpoint();
  authority::Consent consent{volume, now.peer, asked, node_.shared.position().index, now.boot};
  Json record = consent.to_json();
  // The record first: a mark in the metadata ends with the first connect, and is lost with the metadata.
  MCV_CO_TRY(const bool at_peer, co_await node_.records.append(authority::consent_kind, std::move(record)));
  static_cast<void>(at_peer);
  spdlog::warn("{}: {} goes on without the copy here, which is set aside until both are equal again", volume.str(), now.peer.str());
  // The kernel decides between this and a promotion of ours that is under way: it refuses the one that comes second.
  if (step != authority::ConsentStep::no_disk) {
    MCV_CO_CHECK(co_await drbd::ensure_outdated(node_.host, node_.drbd, volume));
  }
  drbd::Condition aside = [](const drbd::ResourceFacts* facts) { return facts != nullptr && authority::is_set_aside(&facts->facts); };
  MCV_CO_TRY(const drbd::ResourceFacts reached, co_await node_.drbd.wait_until(volume, std::move(aside), mark_bound, "set aside"));
  if (node_.authority.standpoint().consents.stands(node_.self(), volume)) co_return success();
  co_return Error(ErrorCode::no_authority, fmt::format("both copies of {} were connected and equal meanwhile", volume.str()));
}

asio::awaitable<Status> ConsentDesk::withdraw() {
  if (!node_.drbd.complete()) co_return success();
  const std::vector<VolumeName> done = authority::consent_to_withdraw(node_.authority.standpoint(), node_.shared.current(), node_.drbd.volumes());
  if (done.empty()) co_return success();
  for (const VolumeName& volume : done) spdlog::info("{}: both copies are equal again, the one here is not set aside any more", volume.str());
  Json body = authority::withdrawal_to_json(done);
  auto written = co_await node_.records.append(authority::consent_withdrawn_kind, std::move(body));
  if (!written.ok()) co_return std::move(written).error();
  // A link that comes and goes for months must not leave a record each time.
  std::vector<std::uint64_t> numbers = authority::ended_consents(node_.records.read_own(authority::consent_kind), node_.records.read_own(authority::consent_withdrawn_kind));
  const Status forgotten = co_await node_.records.forget(std::move(numbers));
  co_return forgotten;
}

}  // namespace mcv
