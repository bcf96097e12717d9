// SPDX-License-Identifier: Apache-2.0
// The blocking half of SqliteStore: one SQLite connection and the reserve file. Used by one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/host/store.h"
#include "daemon/host/sqlite/reserve_file.h"

struct sqlite3;
struct sqlite3_stmt;

namespace mcv::host {

class Database {
 public:
  static Result<std::unique_ptr<Database>> open(const std::string& path, std::uint64_t reserve_bytes);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  Status commit(const StoreBatch& batch);
  Result<std::optional<std::string>> get(const std::string& table, const std::string& key);
  Result<std::vector<std::pair<std::string, std::string>>> scan(const std::string& table, const std::string& first, std::size_t limit);

 private:
  class Statement;
  Database(std::string path, std::uint64_t reserve_bytes);
  Status prepare();
  Status execute(const char* sql);
  Status write(const StoreBatch& batch);
  Status checkpoint_when_long();
  /// The error of the last call; poisons the database unless it is one that left everything as it was.
  Error failure(int code, const std::string& doing);

  std::string path_;
  ReserveFile reserve_;
  sqlite3* db_ = nullptr;
  sqlite3_stmt* put_ = nullptr;
  sqlite3_stmt* erase_ = nullptr;
  sqlite3_stmt* erase_range_ = nullptr;
  sqlite3_stmt* get_ = nullptr;
  sqlite3_stmt* scan_ = nullptr;
  std::optional<Error> poisoned_;
};

}  // namespace mcv::host
