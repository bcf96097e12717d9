// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/monitor.h"

#include <fmt/format.h>
#include <utility>

#include "storage/drbd/commands.h"
#include "storage/drbd/resource_file.h"

namespace mcv::drbd {

namespace asio = boost::asio;

namespace {

using namespace std::chrono_literals;

/// Between two readers: an events2 that cannot start (module not loaded) must not spin.
constexpr host::Duration restart_pause = 500ms;

}  // namespace

DrbdMonitor::DrbdMonitor(host::Host& host) : host_(host), changes_(host.executor) {}

asio::awaitable<void> DrbdMonitor::run() {
  for (;;) {
    co_await read_once();
    co_await host_.clock.sleep_for(restart_pause);
  }
}

asio::awaitable<void> DrbdMonitor::read_once() {
  table_.begin_dump();
  ++dumps_;
  changes_.notify();
  host::Argv argv = commands::events();
  auto started = co_await host_.processes.stream(std::move(argv));
  if (!started.ok()) co_return;
  const std::unique_ptr<host::LineStream> stream = std::move(started).value();
  for (;;) {
    const Result<std::optional<std::string>> line = co_await stream->next();
    if (!line.ok() || !line->has_value()) break;
    const Result<Event> event = parse_event(**line);
    if (!event.ok()) continue;  // a kind of line newer than this build: what it does not know it cannot show
    const bool changed = table_.apply(*event);
    if (changed) changes_.notify();
    if (event->action == Event::Action::skipped) break;  // the next reader begins with a dump of everything
  }
}

const ResourceFacts* DrbdMonitor::find(const VolumeName& volume) const { return table_.find(resource_name(volume)); }

std::map<std::string, VolumeFacts> DrbdMonitor::volumes() const {
  std::map<std::string, VolumeFacts> volumes;
  for (const auto& [resource, facts] : table_.resources()) {
    const auto volume = volume_of_resource(resource);
    if (volume.ok()) volumes.emplace(volume->str(), facts.facts);
  }
  return volumes;
}

asio::awaitable<bool> DrbdMonitor::wait_for_change(host::Duration bound) {
  const std::uint64_t seen = changes_.count();
  co_await changes_.wait_beyond(seen, host_.clock, bound);
  co_return changes_.count() > seen;
}

asio::awaitable<Result<ResourceFacts>> DrbdMonitor::wait_until(VolumeName volume, Condition condition, host::Duration bound, std::string what) {
  const host::Instant deadline = host_.clock.now() + bound;
  for (;;) {
    const std::uint64_t seen = changes_.count();
    const ResourceFacts* facts = find(volume);
    if (complete() && condition(facts)) {
      ResourceFacts reached;
      if (facts != nullptr) reached = *facts;
      co_return reached;
    }
    const host::Duration left = deadline - host_.clock.now();
    if (left <= host::Duration(0)) {
      const std::string now = complete() ? describe(facts) : std::string("nothing is known of it: drbdsetup events2 does not answer");
      co_return Error(ErrorCode::timed_out, fmt::format("volume {} did not become {} within {} s: {}", volume.str(), what,
                                                        std::chrono::duration_cast<std::chrono::seconds>(bound).count(), now))
          .with_next(fmt::format("drbdsetup status {}", resource_name(volume)));
    }
    co_await changes_.wait_beyond(seen, host_.clock, left);
  }
}

std::string describe(const ResourceFacts* resource) {
  if (resource == nullptr) return "it is not configured in the kernel";
  const VolumeFacts& facts = resource->facts;
  std::string text = fmt::format("{}, {}/{}, {}/{}", to_text(facts.connection), to_text(facts.role), to_text(facts.peer_role), to_text(facts.disk),
                                 to_text(facts.peer_disk));
  if (facts.replication != ReplicationState::off && facts.replication != ReplicationState::established) {
    text += fmt::format(", {}", to_text(facts.replication));
  }
  if (facts.suspended.held()) text += fmt::format(", I/O held ({})", facts.suspended.words());
  return text;
}

}  // namespace mcv::drbd
