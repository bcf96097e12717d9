// SPDX-License-Identifier: Apache-2.0
#include "daemon/authority/run_alone.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "daemon/node/node.h"
#include "storage/drbd/volume_life.h"

namespace mcv {

namespace asio = boost::asio;

Status RunAlone::check(const VolumeName& volume) const {
  const drbd::ResourceFacts* seen = node_.drbd.complete() ? node_.drbd.find(volume) : nullptr;
  if (authority::may_run_alone(node_.authority.standpoint(), volume, seen == nullptr ? nullptr : &seen->facts)) return success();
  return Error(ErrorCode::no_authority, fmt::format("nothing lets {} go on without the other copy", volume.str()));
}

asio::awaitable<Status> RunAlone::write_down(VolumeName volume) {
  MCV_CO_CHECK(check(volume));
  const authority::Standpoint now = node_.authority.standpoint();
  // One that stands says it already: of this very loss, or of an earlier one whose writes have not all arrived there.
  if (now.ledger.went_on(now.self, volume)) co_return success();
  authority::AloneSince since;
  since.generation = node_.shared.position().generation;
  since.index = node_.shared.position().index;
  since.cause = authority::cause_policy;
  since.boot = now.boot;
  since.by = fmt::format("{} was lost, and the policy is run-alone", now.peer.str());
  since.volumes = {volume};
  since.wall_seconds = node_.host.clock.wall_seconds();
  Json body = since.to_json();
  auto written = co_await node_.records.append(authority::alone_since_kind, std::move(body));
  if (!written.ok()) co_return std::move(written).error();
  spdlog::warn("{}: goes on alone, by policy, without the copy on {}", volume.str(), now.peer.str());
  const Status still = check(volume);
  co_return still;
}

asio::awaitable<Status> RunAlone::resume(VolumeName volume) {
  MCV_CO_CHECK(co_await write_down(volume));
  const drbd::ResourceFacts* seen = node_.drbd.complete() ? node_.drbd.find(volume) : nullptr;
  if (seen == nullptr || seen->facts.connection != ConnectionState::standalone || seen->facts.suspended.words() != "fencing") {
    co_return Error(ErrorCode::no_authority, fmt::format("{} changed meanwhile", volume.str()));
  }
  const Status resumed = co_await drbd::resume_io(node_.host, node_.drbd, volume);
  co_return resumed;
}

}  // namespace mcv
