// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <string>

#include "cluster/host/store.h"
#include "engine/reply.h"

namespace mcv::sim {

/// What is on the disk of one node: survives its daemon and its power.
struct StoreDisk {
  std::map<std::string, std::map<std::string, std::string>> tables;
  bool full = false;          ///< only batches that may use the reserve go through
  bool reserve_used = false;  ///< none does
  unsigned io_error_percent = 0;  ///< of commits: an error, and the batch may be there or not
  std::uint64_t commits = 0;
  std::function<void(const host::StoreBatch& batch)> on_commit;
  Time last_durable{0}, last_known{0};  ///< of the commits so far: one thread does them in order, and tells of them in order

  void apply(const host::StoreBatch& batch);
};

/// SQLite as the daemon sees it, commits in the order in which they were asked for: a batch is on disk at one instant within the commit. A daemon that ends before that
/// instant never wrote it, one that ends after it wrote it without knowing.
class SimStore final : public host::Store {
 public:
  SimStore(Scheduler& scheduler, Owner owner, StoreDisk& disk) : scheduler_(scheduler), owner_(owner), disk_(disk) {}

  boost::asio::awaitable<Status> commit(host::StoreBatch batch) override;
  boost::asio::awaitable<Result<std::optional<std::string>>> get(std::string table, std::string key) override;
  boost::asio::awaitable<Result<std::vector<std::pair<std::string, std::string>>>> scan(std::string table, std::string first,
                                                                                       std::size_t limit) override;

 private:
  Scheduler& scheduler_;
  Owner owner_;
  StoreDisk& disk_;
};

}  // namespace mcv::sim
