// SPDX-License-Identifier: Apache-2.0
#include "world/sim_store.h"

#include <algorithm>
#include <chrono>

namespace mcv::sim {

using std::chrono::microseconds;

void StoreDisk::apply(const host::StoreBatch& batch) {
  for (const auto& range : batch.delete_ranges) {
    auto& table = tables[range.table];
    table.erase(table.lower_bound(range.first), table.upper_bound(range.last));
  }
  for (const auto& item : batch.deletes) tables[item.table].erase(item.key);
  for (const auto& item : batch.puts) tables[item.table][item.key] = item.value;
  ++commits;
}

boost::asio::awaitable<Status> SimStore::commit(host::StoreBatch batch) {
  using StatusReply = Reply<Status>;
  std::function<void(StatusReply)> begin = [this, batch = std::move(batch)](StatusReply reply) {
    Chance& chance = scheduler_.chance();
    const Time now = scheduler_.now();
    if (disk_.on_commit) disk_.on_commit(batch);
    disk_.last_durable = std::max(now, disk_.last_durable) + microseconds(chance.between(50, 3000));
    disk_.last_known = std::max(disk_.last_durable + microseconds(chance.between(1, 500)), disk_.last_known);
    const Time until_durable = disk_.last_durable - now;
    const Time until_known = disk_.last_known - now;
    if (disk_.reserve_used || (disk_.full && !batch.may_use_reserve)) {
      scheduler_.after(owner_, until_known, [reply]() { reply(Error(ErrorCode::disk_full, "the root file system is full")); });
      return;
    }
    if (chance.percent(disk_.io_error_percent)) {
      const bool there = chance.one_in(2);
      scheduler_.after(owner_, until_durable, [this, there, batch]() {
        if (there) disk_.apply(batch);
      });
      scheduler_.after(owner_, until_known, [reply]() { reply(Error(ErrorCode::io_error, "fsync failed")); });
      return;
    }
    scheduler_.after(owner_, until_durable, [this, batch]() { disk_.apply(batch); });
    scheduler_.after(owner_, until_known, [reply]() { reply(success()); });
  };
  co_return co_await await_reply<Status>(scheduler_, owner_, std::move(begin));
}

boost::asio::awaitable<Result<std::optional<std::string>>> SimStore::get(std::string table, std::string key) {
  using GetReply = Reply<Result<std::optional<std::string>>>;
  std::function<void(GetReply)> begin = [this, table, key](GetReply reply) {
    std::optional<std::string> value;
    const auto& rows = disk_.tables[table];
    if (const auto found = rows.find(key); found != rows.end()) value = found->second;
    scheduler_.after(owner_, microseconds(5), [reply, value]() { reply(value); });
  };
  co_return co_await await_reply<Result<std::optional<std::string>>>(scheduler_, owner_, std::move(begin));
}

boost::asio::awaitable<Result<std::vector<std::pair<std::string, std::string>>>> SimStore::scan(std::string table, std::string first,
                                                                                               std::size_t limit) {
  using Rows = std::vector<std::pair<std::string, std::string>>;
  using ScanReply = Reply<Result<Rows>>;
  std::function<void(ScanReply)> begin = [this, table, first, limit](ScanReply reply) {
    Rows rows;
    const auto& all = disk_.tables[table];
    for (auto row = all.lower_bound(first); row != all.end() && rows.size() < limit; ++row) rows.emplace_back(row->first, row->second);
    scheduler_.after(owner_, microseconds(5), [reply, rows]() { reply(rows); });
  };
  co_return co_await await_reply<Result<Rows>>(scheduler_, owner_, std::move(begin));
}

}  // namespace mcv::sim
