// SPDX-License-Identifier: Apache-2.0
// host::Store on SQLite (write-ahead log, synchronous=FULL) with a reserve against a full disk.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "cluster/host/store.h"

namespace mcv::host {

struct SqliteStoreOptions {
  std::string path;                                   ///< of the database; its directory must exist
  std::uint64_t reserve_bytes = 8ULL * 1024 * 1024;   ///< of "<path>.reserve", really allocated
};

/// One connection, used by one thread of its own; results come back on `executor`. Calls may overlap, they are done in
/// order. A coroutine that was cancelled meanwhile does not undo a commit: commits are not cancellable.
///
/// Errors of `commit`: `disk_full` (nothing of the batch is there; also while the reserve is used up and the batch may
/// not use it), `io_error` (from then on every call: restart and re-read).
/// Errors of reads: `io_error`, `store_corrupt`.
class SqliteStore : public Store {
 public:
  /// Opens or makes the database, exclusively: a second daemon gets `busy`. Also `io_error`, `disk_full`,
  /// `store_corrupt`, `format_unknown` (made by a newer build). Blocks for the moment this takes.
  static Result<std::unique_ptr<SqliteStore>> open(boost::asio::any_io_executor executor, SqliteStoreOptions options);
  /// Waits for what is under way.
  ~SqliteStore() override;
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;

  boost::asio::awaitable<Status> commit(StoreBatch batch) override;
  boost::asio::awaitable<Result<std::optional<std::string>>> get(std::string table, std::string key) override;
  boost::asio::awaitable<Result<std::vector<std::pair<std::string, std::string>>>> scan(std::string table, std::string first,
                                                                                       std::size_t limit) override;

 private:
  struct Worker;
  explicit SqliteStore(std::unique_ptr<Worker> worker);
  std::unique_ptr<Worker> worker_;
};

}  // namespace mcv::host
