// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/attach.h"

#include <fmt/format.h>
#include <memory>
#include <optional>
#include <utility>

#include "storage/drbd/commands.h"
#include "storage/drbd/volume_tools.h"

namespace mcv::drbd {

namespace asio = boost::asio;

namespace {

/// Reading the bitmap of a large disk takes its time; the command returns after that.
constexpr host::Duration follows_within = std::chrono::seconds(30);

bool has_no_disk(const VolumeFacts& facts) { return facts.disk == DiskState::diskless || facts.disk == DiskState::failed; }

bool is_a_copy(const VolumeFacts& facts, AttachBehind behind) {
  if (facts.redundant() || (behind == AttachBehind::nobody && facts.disk == DiskState::up_to_date)) return true;
  return facts.replication == ReplicationState::sync_target || facts.replication == ReplicationState::paused_sync;
}

Error given_up_again(const VolumeName& volume, const std::string& said) {
  return Error(ErrorCode::io_error, fmt::format("the disk of {} cannot be used again yet: {}", volume.str(), said))
      .with_safe("the other copy was not touched, and the guest goes on with it")
      .with_next("on that node: journalctl --dmesg; hvctl storage list; lvs: mend the cause, then the same command again");
}

}  // namespace

asio::awaitable<Status> ensure_attached(host::Host& host, DrbdMonitor& monitor, VolumeName volume, AttachBehind behind) {
  MCV_CO_TRY(const std::optional<ResourceFacts> now, co_await look(monitor, volume));
  if (!now || !now->minor) co_return not_configured(volume);
  const VolumeFacts& facts = now->facts;
  if (has_no_disk(facts)) {
    const bool can_follow = behind == AttachBehind::nobody || facts.peer_disk == DiskState::up_to_date;
    if (facts.connection != ConnectionState::connected || !can_follow) {
      co_return Error(ErrorCode::not_up_to_date, fmt::format("volume {} has no copy to follow: {}", volume.str(), describe(&*now))).with_safe("nothing was changed").with_next("hvctl drbd list");
    }
    host::Command attach = commands::attach(volume);
    const Status attached = co_await run_tool(host, volume, std::move(attach));
    if (!attached.ok()) co_return given_up_again(volume, attached.error().message());
  }
  // Given up again in the middle of it is an end as well.
  auto was_there = std::make_shared<bool>(false);
  Condition ended = [behind, was_there](const ResourceFacts* seen) {
    if (seen == nullptr) return true;
    if (!has_no_disk(seen->facts)) *was_there = true;
    return (*was_there && has_no_disk(seen->facts)) || is_a_copy(seen->facts, behind);
  };
  MCV_CO_TRY(const ResourceFacts reached, co_await monitor.wait_until(volume, std::move(ended), follows_within, "attached and following the other copy"));
  if (is_a_copy(reached.facts, behind)) co_return success();
  co_return given_up_again(volume, fmt::format("DRBD gave it up again ({})", describe(&reached)));
}

}  // namespace mcv::drbd
