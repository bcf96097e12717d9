// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/core/result.h"

namespace mcv::host {

/// One atomic, durable change of the store.
struct StoreBatch {
  struct Put { std::string table, key, value; };
  struct Delete { std::string table, key; };
  struct DeleteRange { std::string table, first, last; };  ///< keys k with first <= k <= last
  std::vector<Put> puts;
  std::vector<Delete> deletes;
  std::vector<DeleteRange> delete_ranges;  ///< applied before deletes and puts
  /// Finishes something begun: on a full disk it may take the space kept in reserve. Everything else gets `disk_full`.
  bool may_use_reserve = false;

  StoreBatch& put(std::string table, std::string key, std::string value) {
    puts.push_back(Put{std::move(table), std::move(key), std::move(value)});
    return *this;
  }
  StoreBatch& erase(std::string table, std::string key) {
    deletes.push_back(Delete{std::move(table), std::move(key)});
    return *this;
  }
};

/// The node's durable records: tables of text keys, ordered bytewise. Production: SQLite (WAL, synchronous=FULL).
/// `commit` returns after the batch is on disk, or with an error and none of it there; overlapping ones are done in the order
/// of the calls. `disk_full` leaves everything as it was. After an io_error the caller must restart and read again.
class Store {
 public:
  virtual ~Store() = default;
  virtual boost::asio::awaitable<Status> commit(StoreBatch batch) = 0;
  virtual boost::asio::awaitable<Result<std::optional<std::string>>> get(std::string table, std::string key) = 0;
  /// Keys >= first in order, at most `limit` of them.
  virtual boost::asio::awaitable<Result<std::vector<std::pair<std::string, std::string>>>> scan(
      std::string table, std::string first, std::size_t limit) = 0;
};

}  // namespace mcv::host
