// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/lone_leg.h"

#include <fmt/format.h>
#include <utility>

#include "storage/drbd/commands.h"
#include "storage/drbd/tool_errors.h"
#include "storage/drbd/volume_life.h"
#include "storage/drbd/volume_tools.h"

namespace mcv::drbd {

namespace asio = boost::asio;

namespace {

bool is_attached(const std::optional<ResourceFacts>& now) {
  return now && now->minor && now->facts.disk != DiskState::diskless && now->facts.disk != DiskState::attaching;
}

asio::awaitable<Status> set_fencing(host::Host& host, VolumeName volume, std::optional<ResourceFacts> now, commands::Fencing fencing) {
  if (!is_attached(now)) co_return success();
  host::Command set = commands::set_fencing(*now->minor, fencing);
  const Status done = co_await run_tool(host, volume, std::move(set));
  co_return done;
}

}  // namespace

asio::awaitable<Status> ensure_lone(host::Host& host, DrbdMonitor& monitor, ResourceConfig config) {
  const VolumeName volume = config.volume;
  if (config.legs.size() != 1) co_return Error(ErrorCode::bad_request, fmt::format("volume {} is to have one leg", volume.str()));
  MCV_CO_TRY(const std::optional<ResourceFacts> now, co_await look(monitor, volume));
  MCV_CO_CHECK(co_await set_fencing(host, volume, now, commands::Fencing::off));
  // By the file that still names the other side.
  MCV_CO_CHECK(co_await ensure_disconnected(host, monitor, volume));
  MCV_CO_CHECK(co_await resume_io(host, monitor, volume));
  MCV_CO_CHECK(co_await ensure_resource_file(host, std::move(config)));
  // Attached while the other side counted: whether this copy is the last one was open then, and attaching anew answers it.
  const bool doubts = now && now->facts.disk == DiskState::consistent && now->facts.role != DiskRole::primary;
  if (!doubts) co_return success();
  const Status down = co_await ensure_down(host, monitor, volume);
  co_return down;
}

asio::awaitable<Status> ensure_paired(host::Host& host, DrbdMonitor& monitor, ResourceConfig config) {
  const VolumeName volume = config.volume;
  if (config.legs.size() != 2) co_return Error(ErrorCode::bad_request, fmt::format("volume {} is to have two legs", volume.str()));
  MCV_CO_TRY(const std::optional<ResourceFacts> now, co_await look(monitor, volume));
  if (!is_attached(now)) {
    co_return Error(ErrorCode::not_up_to_date, fmt::format("volume {} is not attached on this node, which has its only copy", volume.str()))
        .with_safe("nothing was changed; the copy is not touched")
        .with_next("hvctl drbd list");
  }
  const bool connected = now->facts.connection == ConnectionState::connected;
  host::Command identify = commands::generation_identifiers(*now->minor);
  MCV_CO_TRY(const std::string generations, co_await host::run_ok(host.processes, std::move(identify)));
  const bool whole = now->facts.disk == DiskState::up_to_date || (now->facts.disk == DiskState::consistent && !connected);
  if (!whole || generations.compare(0, just_created.size(), just_created) == 0) {
    co_return Error(ErrorCode::not_up_to_date, fmt::format("volume {}: this node's copy is not whole ({}), so nothing is copied from it", volume.str(), describe(&*now)))
        .with_safe("nothing was changed")
        .with_next("hvctl drbd list");
  }
  MCV_CO_CHECK(co_await ensure_resource_file(host, std::move(config)));
  const Status fenced = co_await set_fencing(host, volume, now, commands::Fencing::on);
  co_return fenced;
}

}  // namespace mcv::drbd
