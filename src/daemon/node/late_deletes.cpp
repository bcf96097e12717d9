// SPDX-License-Identifier: Apache-2.0
#include "daemon/node/late_deletes.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "cluster/model/pending_delete.h"
#include "cluster/plans/orphan_plan.h"
#include "daemon/node/node.h"
#include "storage/lvm/backing.h"
#include "storage/lvm/pool.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

using namespace std::chrono_literals;

/// Whatever stood in the way may be gone by then.
constexpr host::Duration late_pause = 60s;

}  // namespace

LateDeletes::LateDeletes(Node& node) : node_(node), wakeup_(node.host.executor) {}

void LateDeletes::begin() {
  node_.shared.on_link([this](const Link&) { wakeup_.notify(); });
  node_.tasks.spawn(watch());
}

std::string LateDeletes::problem(const VolumeName& volume) const {
  const auto tried = tried_.find(volume);
  if (tried == tried_.end()) return {};
  const auto view = node_.operations.get(tried->second);
  return view.ok() && view->error ? view->error->message() : std::string();
}

asio::awaitable<void> LateDeletes::watch() {
  for (;;) {
    auto changed = wakeup_.wait_for(node_.host.clock, late_pause);  // counts from here: a meeting while it looks is not missed
    co_await look();
    co_await std::move(changed);
  }
}

/// Until somebody deletes them by name.
asio::awaitable<bool> LateDeletes::has_data(PendingDelete pending) {
  const lvm::Pool pool = lvm::pool_on(pending.pool, node_.self());
  const auto volumes = co_await lvm::logical_volumes(node_.host);
  co_return !volumes.ok() || lvm::find(*volumes, pool.volume_group, lvm::data_name(pending.volume.name)) != nullptr;
}

asio::awaitable<void> LateDeletes::look() {
  const LinkState link = node_.shared.link().state;
  if ((link != LinkState::together && link != LinkState::single) || node_.departure.is_passive()) co_return;
  const std::vector<PendingDelete> pending = pending_deletes(node_.shared.current());
  for (const PendingDelete& one : pending) {
    if (one.node != node_.self()) continue;
    if (const auto tried = tried_.find(one.volume.name); tried != tried_.end()) {
      const auto view = node_.operations.get(tried->second);
      // One that waits for a person is not tried beside it.
      if (view.ok() && view->may_go_on()) continue;
      // Nor is one that is kept: no time makes it the copy that was deleted.
      const bool is_kept = view.ok() && view->error && view->error->code() == ErrorCode::not_up_to_date;
      bool is_still_kept = false;
      if (is_kept) is_still_kept = co_await has_data(one);
      if (is_still_kept) continue;
    }
    Plan plan = plans::late_delete(one, !node_.shared.current().vm(one.volume.vm).ok());
    auto submitted = co_await node_.operations.submit(std::move(plan));
    if (submitted.ok()) tried_[one.volume.name] = *submitted;
    else if (submitted.error().code() != ErrorCode::busy) spdlog::warn("{} was deleted while this node was away, and is still here: {}", one.volume.name.str(), submitted.error().message());
  }
}

}  // namespace mcv
