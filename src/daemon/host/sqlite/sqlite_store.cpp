// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/sqlite/sqlite_store.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "daemon/host/sqlite/database.h"

namespace mcv::host {

namespace asio = boost::asio;

struct SqliteStore::Worker {
  Worker(asio::any_io_executor the_executor, std::unique_ptr<host::Database> the_database)
      : executor(std::move(the_executor)), database(std::move(the_database)), thread([this] { run(); }) {}
  ~Worker() {
    {
      const std::lock_guard lock(mutex);
      ending = true;
    }
    wake.notify_one();
    thread.join();
  }

  void push(std::function<void(host::Database&)> job) {
    {
      const std::lock_guard lock(mutex);
      jobs.push_back(std::move(job));
    }
    wake.notify_one();
  }

  void run() {
    for (;;) {
      std::unique_lock lock(mutex);
      wake.wait(lock, [&] { return ending || !jobs.empty(); });
      if (jobs.empty()) return;
      const std::function<void(host::Database&)> job = std::move(jobs.front());
      jobs.pop_front();
      lock.unlock();
      job(*database);
    }
  }

  /// Runs `job` on the thread and completes with its result on the loop.
  template <typename T>
  asio::awaitable<T> call(std::function<T(host::Database&)> job) {
    // An initiation lives in a plain function without co_await (GCC 12, docs/architecture.md).
    auto initiate = [this, job](auto handler) {
      // The loop must not end while the answer is under way.
      auto busy = asio::prefer(executor, asio::execution::outstanding_work.tracked);
      auto shared = std::make_shared<decltype(handler)>(std::move(handler));
      push([busy, job, shared](host::Database& the_database) mutable {
        auto result = std::make_shared<T>(job(the_database));
        asio::post(busy, [shared = std::move(shared), result] { std::move(*shared)(std::move(*result)); });
      });
    };
    return asio::async_initiate<const asio::use_awaitable_t<>, void(T)>(std::move(initiate), asio::use_awaitable);
  }

  asio::any_io_executor executor;
  std::unique_ptr<host::Database> database;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::function<void(host::Database&)>> jobs;
  bool ending = false;
  std::thread thread;
};

SqliteStore::SqliteStore(std::unique_ptr<Worker> worker) : worker_(std::move(worker)) {}
SqliteStore::~SqliteStore() = default;

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(asio::any_io_executor executor, SqliteStoreOptions options) {
  MCV_TRY(auto database, host::Database::open(options.path, options.reserve_bytes));
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::make_unique<Worker>(std::move(executor), std::move(database))));
}

asio::awaitable<Status> SqliteStore::commit(StoreBatch batch) {
  auto shared = std::make_shared<StoreBatch>(std::move(batch));
  return worker_->call<Status>([shared](host::Database& database) { return database.commit(*shared); });
}

asio::awaitable<Result<std::optional<std::string>>> SqliteStore::get(std::string table, std::string key) {
  return worker_->call<Result<std::optional<std::string>>>(
      [table = std::move(table), key = std::move(key)](host::Database& database) { return database.get(table, key); });
}

asio::awaitable<Result<std::vector<std::pair<std::string, std::string>>>> SqliteStore::scan(std::string table, std::string first, std::size_t limit) {
  return worker_->call<Result<std::vector<std::pair<std::string, std::string>>>>(
      [table = std::move(table), first = std::move(first), limit](host::Database& database) { return database.scan(table, first, limit); });
}

}  // namespace mcv::host
