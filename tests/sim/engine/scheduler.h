// SPDX-License-Identifier: Apache-2.0
// The whole run in one thread: jobs, virtual time, and the owners whose jobs vanish together at a crash.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "engine/chance.h"
#include "engine/trace.h"
#include "engine/unique_function.h"

namespace mcv::sim {

using Time = std::chrono::nanoseconds;  ///< virtual, since the start of the run
using Owner = std::uint32_t;            ///< one life of a daemon; 0 is the world, which never crashes
using Job = UniqueFunction<void()>;

/// Something that holds a coroutine's handler until the world answers. Dropped with its owner.
class Droppable {
 public:
  virtual ~Droppable() = default;
  virtual void drop() = 0;
  std::uint64_t held_as = 0;  ///< they are dropped in this order, whatever their addresses
};

class Scheduler : public boost::asio::execution_context {
 public:
  enum class Order { random, first_come };  ///< of the ready jobs of one owner; across owners always random

  explicit Scheduler(std::uint64_t seed);
  ~Scheduler();

  class Executor;
  boost::asio::any_io_executor executor(Owner owner);
  Owner new_owner();
  bool alive(Owner owner) const { return dead_.count(owner) == 0; }
  void set_order(Order order) { order_ = order; }

  void post(Owner owner, Job job);
  using Timer = std::uint64_t;
  Timer after(Owner owner, Time delay, Job job);
  void cancel(Timer timer);

  /// Runs one ready job, chosen by the seed, or advances to the next timer. False when nothing is left to do.
  bool step();
  /// Until the condition holds; false when `limit` of virtual time passed first. Time stands at the limit then.
  template <typename Condition>
  bool run_until(Condition condition, Time limit) {
    const Time end = now_ + limit;
    while (!condition()) {
      if (next_event() > end) {
        now_ = std::max(now_, end);
        return condition();
      }
      step();
    }
    return true;
  }
  /// A crash: every job, timer and waiting coroutine of the owner is destroyed, and new ones are refused. Called by the
  /// world only, never from a job of that owner.
  void drop(Owner owner);

  Time now() const { return now_; }
  std::uint64_t steps() const { return steps_; }
  Chance& chance() { return chance_; }
  Trace& trace() { return trace_; }
  void say(std::string text);
  /// Whose job runs now; the world when none does.
  Owner running() const { return in_job_ ? running_ : 0; }

  void hold(Owner owner, std::shared_ptr<Droppable> waiting);
  void release(Owner owner, const Droppable* waiting);

 private:
  struct Ready {
    Owner owner;
    Job job;
  };
  struct Due {
    Owner owner;
    Job job;
  };
  std::size_t choose();
  /// Now when something is ready; Time::max() when nothing is left to do.
  Time next_event() const { return !ready_.empty() ? now_ : timers_.empty() ? Time::max() : timers_.begin()->first.first; }

  Chance chance_;
  Trace trace_;
  Order order_ = Order::random;
  Time now_{0};
  std::uint64_t steps_ = 0;
  std::uint64_t next_timer_ = 1;
  Owner next_owner_ = 1;
  Owner running_ = 0;   ///< whose job runs now
  bool in_job_ = false;
  std::vector<Ready> ready_;
  std::map<std::pair<Time, Timer>, Due> timers_;
  std::map<Timer, Time> due_of_;
  std::uint64_t next_held_ = 1;
  std::map<Owner, std::map<std::uint64_t, std::shared_ptr<Droppable>>> held_;
  std::set<Owner> dead_;
};

/// Satisfies any_io_executor, so ordinary awaitable code, co_spawn and cancellation run on it. Like an io_context's:
/// `dispatch` from within a job of the same owner runs at once, `post` never does. (Asio 1.81 needs the former: a
/// coroutine that is cancelled between co_spawn and its first step would throw where nobody catches.)
class Scheduler::Executor {
 public:
  Executor(Scheduler& scheduler, Owner owner) : scheduler_(&scheduler), owner_(owner) {}

  template <typename F>
  void execute(F function) const {
    if (!never_ && scheduler_->running_ == owner_ && scheduler_->in_job_) std::move(function)();
    else scheduler_->post(owner_, Job(std::move(function)));
  }
  boost::asio::execution_context& query(boost::asio::execution::context_t) const noexcept { return *scheduler_; }
  boost::asio::execution::blocking_t query(boost::asio::execution::blocking_t) const noexcept {
    if (never_) return boost::asio::execution::blocking.never;
    return boost::asio::execution::blocking.possibly;
  }
  Executor require(boost::asio::execution::blocking_t::never_t) const { return with_never(true); }
  Executor require(boost::asio::execution::blocking_t::possibly_t) const { return with_never(false); }
  friend bool operator==(const Executor& a, const Executor& b) noexcept {
    return a.scheduler_ == b.scheduler_ && a.owner_ == b.owner_ && a.never_ == b.never_;
  }
  friend bool operator!=(const Executor& a, const Executor& b) noexcept { return !(a == b); }

 private:
  Executor with_never(bool never) const {
    Executor copy = *this;
    copy.never_ = never;
    return copy;
  }
  Scheduler* scheduler_;
  Owner owner_;
  bool never_ = false;
};

}  // namespace mcv::sim
