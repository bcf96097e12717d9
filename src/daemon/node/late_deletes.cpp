// SPDX-License-Identifier: Apache-2.0
#include "daemon/node/late_deletes.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "cluster/model/pending_delete.h"
#include "cluster/plans/orphan_plan.h"
#include "daemon/node/node.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

using namespace std::chrono_literals;

/// Whatever stood in the way may be gone by then.
constexpr host::Duration late_pause = 60s;

}  // namespace

void LateDeletes::begin() { node_.tasks.spawn(watch()); }

std::string LateDeletes::problem(const VolumeName& volume) const {
  const auto tried = tried_.find(volume);
  if (tried == tried_.end()) return {};
  const auto view = node_.operations.get(tried->second);
  return view.ok() && view->error ? view->error->message() : std::string();
}

asio::awaitable<void> LateDeletes::watch() {
  for (;;) {
    co_await look();
    co_await node_.host.clock.sleep_for(late_pause);
  }
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
      if (view.ok() && (!view->final() || view->outcome == OperationOutcome::failed)) continue;
    }
    Plan plan = plans::late_delete(one, !node_.shared.current().vm(one.volume.vm).ok());
    auto submitted = co_await node_.operations.submit(std::move(plan));
    if (submitted.ok()) tried_[one.volume.name] = *submitted;
    else if (submitted.error().code() != ErrorCode::busy) spdlog::warn("{} was deleted while this node was away, and is still here: {}", one.volume.name.str(), submitted.error().message());
  }
}

}  // namespace mcv
