// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <utility>

namespace mcv::host {

/// A few threads for calls that block (fsync, SQLite). A job takes values and returns a value: it touches nothing that
/// belongs to the loop's thread. Results are posted back to the loop. A job must not throw; a job that began runs to
/// its end, also when the awaiting coroutine was cancelled, and the coroutine resumes only then.
class BlockingPool {
 public:
  BlockingPool(boost::asio::any_io_executor loop, std::size_t threads) : loop_(std::move(loop)), threads_(threads) {}
  /// Waits for the jobs that run; drops those that wait. Destroy it before the loop.
  ~BlockingPool() {
    threads_.stop();
    threads_.join();
  }
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  template <typename T>
  boost::asio::awaitable<T> run(std::function<T()> job) {
    auto initiate = [this, job = std::move(job)](auto handler) {
      // The loop must not run dry while a job is out.
      auto loop = boost::asio::prefer(loop_, boost::asio::execution::outstanding_work.tracked);
      auto shared = std::make_shared<decltype(handler)>(std::move(handler));
      auto work = [loop, job, shared]() mutable {
        auto value = std::make_shared<T>(job());
        auto resume = [shared = std::move(shared), value = std::move(value)]() { std::move (*shared)(std::move(*value)); };
        boost::asio::post(loop, std::move(resume));
      };
      boost::asio::post(threads_, std::move(work));
    };
    return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(T)>(std::move(initiate), boost::asio::use_awaitable);
  }

 private:
  boost::asio::any_io_executor loop_;
  boost::asio::thread_pool threads_;
};

}  // namespace mcv::host
