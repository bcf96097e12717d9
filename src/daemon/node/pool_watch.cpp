// SPDX-License-Identifier: Apache-2.0
#include "daemon/node/pool_watch.h"

#include <fmt/format.h>
#include <set>

#include "daemon/node/node.h"
#include "storage/lvm/pool.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

/// A thick pool gives each volume all of its room at once: however full it is, nothing in it runs out.
bool can_run_out(const PoolRecord& record) { return record.kind != PoolKind::thick; }

PoolFill fill_of(const PoolRecord& record, const lvm::Pool& pool, const Result<lvm::PoolUsage>& usage) {
  PoolFill fill;
  if (!usage.ok()) {
    fill.problem = usage.error().message();
  } else if (record.kind == PoolKind::thin) {
    fill.data_percent = usage->data_percent.value_or(0);
    fill.metadata_percent = usage->metadata_percent.value_or(0);
    // New blocks of a pool without it hold what was deleted before; a fresh pair of disks would not be equal.
    if (!usage->zeroing) {
      fill.problem = fmt::format("zeroing of {} is off, so that new disks would show what was deleted before", record.thin_pool);
      fill.remedy = fmt::format("lvchange --zero y {}/{}", pool.volume_group, pool.thin_pool);
    }
    fill.waits_when_full = !usage->fails_when_full;
  } else if (can_run_out(record) && usage->size.count() > 0) {
    fill.data_percent = 100.0 * static_cast<double>(usage->size.count() - usage->free.count()) / static_cast<double>(usage->size.count());
  }
  return fill;
}

std::string thin_pool_path(const PoolRecord& record, const NodeName& node) {
  return record.kind == PoolKind::thin ? fmt::format("{}/{}", record.volume_group_on(node), record.thin_pool) : std::string();
}

}  // namespace

LogEvent pool_event(const NodeName& node, const std::string& pool, const PoolFacts& facts, const PoolAdvice& advice) {
  LogEvent event;
  const bool is_over = facts.alarm == PoolAlarm::none;
  if (!is_over) event.level = LogLevel::warning;
  event.message = is_over ? fmt::format("storage pool {} on {} has room again", pool, node.str()) : fmt::format("{}; {}", advice.text, advice.next);
  event.fields = {{log_fields::node, node.str()}, {log_fields::kind, "pool"}, {log_fields::object, "pool/" + pool}, {log_fields::state, std::string(to_text(facts.alarm))}};
  return event;
}

LogEvent waiting_event(const NodeName& node, const std::string& pool, const PoolFacts& facts, const PoolAdvice& advice) {
  LogEvent event;
  if (facts.fill.waits_when_full) event.level = LogLevel::warning;
  event.message = facts.fill.waits_when_full ? fmt::format("{}; {}", advice.text, advice.next) : fmt::format("storage pool {} on {} fails writes at once when it is full", pool, node.str());
  event.fields = {{log_fields::node, node.str()}, {log_fields::kind, "pool"}, {log_fields::object, "pool/" + pool}, {log_fields::state, facts.fill.waits_when_full ? "waits-when-full" : "fails-when-full"}};
  return event;
}

void PoolWatch::begin() { node_.tasks.spawn(watch()); }

asio::awaitable<void> PoolWatch::watch() {
  for (;;) {
    co_await look();
    co_await node_.host.clock.sleep_for(pause);
  }
}

asio::awaitable<void> PoolWatch::look() {
  std::set<std::string> known;
  const auto records = node_.shared.current().all(Kind::pool);
  for (const auto& [key, entry] : records) {
    const auto record = PoolRecord::from_json(entry.value);
    if (!record.ok()) continue;
    known.insert(key);
    const lvm::Pool pool = lvm::pool_on(*record, node_.self());
    const auto usage = co_await lvm::pool_usage(node_.host, pool);
    // A tool that was slow or killed says nothing of the pool.
    if (!usage.ok() && usage.error().code() != ErrorCode::pool_missing) continue;
    note(*record, fill_of(*record, pool, usage));
  }
  std::erase_if(seen_, [&](const auto& entry) { return !known.contains(entry.first); });
  std::erase_if(waiting_, [&](const std::string& pool) { return !known.contains(pool); });
}

void PoolWatch::note(const PoolRecord& record, PoolFill fill) {
  PoolFacts& facts = seen_[record.name.str()];
  const PoolAlarm before = facts.alarm;
  facts.alarm = pool_alarm(fill, before);
  facts.fill = std::move(fill);
  const std::string thin_pool = thin_pool_path(record, node_.self());
  // Of one that cannot be read it is not known.
  const bool is_known = facts.fill.metadata_percent.has_value();
  const bool changed = is_known && facts.fill.waits_when_full != waiting_.contains(record.name.str());
  if (changed) {
    if (facts.fill.waits_when_full) waiting_.insert(record.name.str());
    else waiting_.erase(record.name.str());
    log_event(waiting_event(node_.self(), record.name.str(), facts, explain_waiting(record.name, node_.self(), thin_pool)));
  }
  if (facts.alarm == before) return;
  log_event(pool_event(node_.self(), record.name.str(), facts, explain(facts.alarm, facts.fill, record.name, node_.self(), thin_pool)));
}

}  // namespace mcv
