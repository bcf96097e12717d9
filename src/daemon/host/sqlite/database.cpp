// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/sqlite/database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>

namespace mcv::host {
namespace {

// "mcv1": `file` names it, and a foreign database is never written to.
constexpr int application_id = 0x6d637631;
constexpr int schema_version = 1;
constexpr int checkpoint_frames = 1000;

bool left_as_it_was(int code) { return (code & 0xff) == SQLITE_FULL; }

Status sync_directory_of(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  const int file = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = file >= 0 && ::fsync(file) == 0;
  if (file >= 0) ::close(file);
  if (!synced) return Error(ErrorCode::io_error, fmt::format("the directory {} cannot be synchronised", directory));
  return success();
}

}  // namespace

/// Resets at the end of its use, whatever happened.
class Database::Statement {
 public:
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  ~Statement() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // The texts outlive the step: no copy.
  Statement& bind(const std::string& text) {
    sqlite3_bind_text64(statement_, ++bound_, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
    return *this;
  }
  Statement& bind(std::size_t number) {
    sqlite3_bind_int64(statement_, ++bound_, static_cast<sqlite3_int64>(number));
    return *this;
  }
  int step() { return sqlite3_step(statement_); }
  std::string column(int index) {
    const void* bytes = sqlite3_column_blob(statement_, index);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, index));
    return bytes == nullptr ? std::string() : std::string(static_cast<const char*>(bytes), size);
  }

 private:
  sqlite3_stmt* statement_;
  int bound_ = 0;
};

Database::Database(std::string path, std::uint64_t reserve_bytes) : path_(std::move(path)), reserve_(path_ + ".reserve", reserve_bytes) {}

Database::~Database() {
  for (sqlite3_stmt* statement : {put_, erase_, erase_range_, get_, scan_}) sqlite3_finalize(statement);
  sqlite3_close(db_);
}

Error Database::failure(int code, const std::string& doing) {
  const std::string said = db_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db_);
  switch (code & 0xff) {
    case SQLITE_FULL:
      return Error(ErrorCode::disk_full, fmt::format("no space left for {}", path_))
          .with_safe("nothing was changed")
          .with_next(fmt::format("df -h {}", std::filesystem::path(path_).parent_path().string()));
    case SQLITE_BUSY:
      return Error(ErrorCode::busy, fmt::format("another process has {} open", path_)).with_next("systemctl status mcvd");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: poisoned_ = Error(ErrorCode::store_corrupt, fmt::format("{} is damaged ({}, while {})", path_, said, doing)); break;
    default: poisoned_ = Error(ErrorCode::io_error, fmt::format("{} failed ({}, while {})", path_, said, doing)); break;
  }
  return *poisoned_;
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path, std::uint64_t reserve_bytes) {
  std::unique_ptr<Database> database(new Database(path, reserve_bytes));
  const bool fresh = !std::filesystem::exists(path);
  const int opened = sqlite3_open_v2(path.c_str(), &database->db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  if (opened != SQLITE_OK) return database->failure(opened, "opening");
  sqlite3_extended_result_codes(database->db_, 1);
  MCV_CHECK(database->prepare());
  if (fresh) {
    MCV_CHECK(sync_directory_of(path));
  }
  database->reserve_.restore();
  return database;
}

Status Database::execute(const char* sql) {
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(code, sql);
  return success();
}

Status Database::prepare() {
  // EXCLUSIVE: one daemon, and no shared-memory file. Checkpoints are ours: SQLite ignores the errors of its own.
  for (const char* sql : {"PRAGMA locking_mode=EXCLUSIVE", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA wal_autocheckpoint=0"}) {
    MCV_CHECK(execute(sql));
  }
  const auto number_of = [&](const char* sql) {
    sqlite3_stmt* statement = nullptr;
    int value = -1;
    if (sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) value = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return value;
  };
  const int made_by = number_of("PRAGMA application_id");
  const int version = number_of("PRAGMA user_version");
  const bool empty = number_of("SELECT count(*) FROM sqlite_master") == 0;
  if (!empty && made_by != application_id) return Error(ErrorCode::store_corrupt, fmt::format("{} is not a store of mcvd", path_));
  if (version > schema_version) {
    return Error(ErrorCode::format_unknown, fmt::format("{} has layout {}, this build knows {}", path_, version, schema_version))
        .with_safe("it was not touched")
        .with_next("install the newer package again");
  }
  if (empty) {
    const std::string sql = fmt::format(
        "BEGIN IMMEDIATE; PRAGMA application_id={}; PRAGMA user_version={};"
        "CREATE TABLE record (tab TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (tab, key)) WITHOUT ROWID; COMMIT",
        application_id, schema_version);
    MCV_CHECK(execute(sql.c_str()));
  }
  const std::pair<sqlite3_stmt**, const char*> statements[] = {
      {&put_, "INSERT INTO record (tab, key, value) VALUES (?1, ?2, ?3) ON CONFLICT (tab, key) DO UPDATE SET value = excluded.value"},
      {&erase_, "DELETE FROM record WHERE tab = ?1 AND key = ?2"},
      {&erase_range_, "DELETE FROM record WHERE tab = ?1 AND key >= ?2 AND key <= ?3"},
      {&get_, "SELECT value FROM record WHERE tab = ?1 AND key = ?2"},
      {&scan_, "SELECT key, value FROM record WHERE tab = ?1 AND key >= ?2 ORDER BY key LIMIT ?3"},
  };
  for (const auto& [statement, sql] : statements) {
    const int code = sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, nullptr);
    if (code != SQLITE_OK) return failure(code, "preparing");
  }
  return success();
}

Status Database::write(const StoreBatch& batch) {
  MCV_CHECK(execute("BEGIN IMMEDIATE"));
  int code = SQLITE_DONE;
  for (const auto& range : batch.delete_ranges) {
    if (code == SQLITE_DONE) code = Statement(erase_range_).bind(range.table).bind(range.first).bind(range.last).step();
  }
  for (const auto& row : batch.deletes) {
    if (code == SQLITE_DONE) code = Statement(erase_).bind(row.table).bind(row.key).step();
  }
  for (const auto& row : batch.puts) {
    if (code == SQLITE_DONE) code = Statement(put_).bind(row.table).bind(row.key).bind(row.value).step();
  }
  if (code == SQLITE_DONE) code = sqlite3_exec(db_, "COMMIT", nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return success();
  Error error = failure(code, "writing");
  // After SQLITE_FULL the transaction may be rolled back already.
  if (sqlite3_get_autocommit(db_) == 0) {
    const int undone = sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
    if (undone != SQLITE_OK && left_as_it_was(code)) return failure(undone, "rolling back");
  }
  return error;
}

Status Database::commit(const StoreBatch& batch) {
  if (poisoned_) return *poisoned_;
  if (!reserve_.whole() && !reserve_.restore() && !batch.may_use_reserve) return failure(SQLITE_FULL, "writing");
  Status status = write(batch);
  if (!status.ok() && status.error().code() == ErrorCode::disk_full && batch.may_use_reserve && reserve_.whole()) {
    reserve_.release();
    status = write(batch);
  }
  if (!status.ok()) return status;
  return checkpoint_when_long();
}

/// Moves the log into the database before it grows without end. Its errors count: a page that a failed fsync lost must
/// still be in the log when the daemon reads again.
Status Database::checkpoint_when_long() {
  std::error_code missing;
  const auto size = std::filesystem::file_size(path_ + "-wal", missing);
  if (missing || size < static_cast<std::uintmax_t>(checkpoint_frames) * 4096) return success();
  const int code = sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  // The batch is durable in the log whatever becomes of the checkpoint: only an I/O error ends this store, for the next.
  if (code != SQLITE_OK && !left_as_it_was(code)) (void)failure(code, "checkpointing");
  return success();
}

Result<std::optional<std::string>> Database::get(const std::string& table, const std::string& key) {
  if (poisoned_) return *poisoned_;
  Statement statement(get_);
  const int code = statement.bind(table).bind(key).step();
  if (code == SQLITE_DONE) return std::optional<std::string>();
  if (code != SQLITE_ROW) return failure(code, "reading");
  return std::optional<std::string>(statement.column(0));
}

Result<std::vector<std::pair<std::string, std::string>>> Database::scan(const std::string& table, const std::string& first, std::size_t limit) {
  if (poisoned_) return *poisoned_;
  std::vector<std::pair<std::string, std::string>> rows;
  Statement statement(scan_);
  statement.bind(table).bind(first).bind(limit);
  int code = SQLITE_ROW;
  while ((code = statement.step()) == SQLITE_ROW) rows.emplace_back(statement.column(0), statement.column(1));
  if (code != SQLITE_DONE) return failure(code, "reading");
  return rows;
}

}  // namespace mcv::host
