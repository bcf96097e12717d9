// SPDX-License-Identifier: Apache-2.0
#include "engine/scheduler.h"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>

namespace mcv::sim {

void Trace::line(std::string text) {
  for (const char c : text) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  ++lines_;
  if (print_) std::fprintf(stderr, "%s\n", text.c_str());
  last_.push_back(std::move(text));
  if (last_.size() > keep_) last_.pop_front();
}

Scheduler::Scheduler(std::uint64_t seed) : chance_(seed) {}

// Frames own objects that reach back into the scheduler: they go first, while it is whole.
Scheduler::~Scheduler() {
  for (Owner owner = 0; owner < next_owner_; ++owner) drop(owner);
}

boost::asio::any_io_executor Scheduler::executor(Owner owner) { return Executor(*this, owner); }

Owner Scheduler::new_owner() { return next_owner_++; }

void Scheduler::post(Owner owner, Job job) {
  if (alive(owner)) ready_.push_back(Ready{owner, std::move(job)});
}

Scheduler::Timer Scheduler::after(Owner owner, Time delay, Job job) {
  const Timer timer = next_timer_++;
  if (!alive(owner)) return timer;
  const Time due = now_ + std::max(delay, Time{0});
  timers_.emplace(std::make_pair(due, timer), Due{owner, std::move(job)});
  due_of_[timer] = due;
  return timer;
}

void Scheduler::cancel(Timer timer) {
  const auto due = due_of_.find(timer);
  if (due == due_of_.end()) return;
  const auto found = timers_.find({due->second, timer});
  const Due dropped = std::move(found->second);
  timers_.erase(found);
  due_of_.erase(due);
}

std::size_t Scheduler::choose() {
  const std::size_t pick = chance_.below(ready_.size());
  if (order_ == Order::random) return pick;
  const Owner owner = ready_[pick].owner;
  const auto first = std::find_if(ready_.begin(), ready_.end(), [&](const Ready& item) { return item.owner == owner; });
  return static_cast<std::size_t>(first - ready_.begin());
}

bool Scheduler::step() {
  if (ready_.empty()) {
    if (timers_.empty()) return false;
    now_ = timers_.begin()->first.first;
    while (!timers_.empty() && timers_.begin()->first.first == now_) {
      auto due = timers_.extract(timers_.begin());
      due_of_.erase(due.key().second);
      ready_.push_back(Ready{due.mapped().owner, std::move(due.mapped().job)});
    }
  }
  const auto chosen = ready_.begin() + static_cast<std::ptrdiff_t>(choose());
  Job job = std::move(chosen->job);
  running_ = chosen->owner;
  ready_.erase(chosen);
  ++steps_;
  in_job_ = true;
  job();
  in_job_ = false;
  return true;
}

void Scheduler::drop(Owner owner) {
  dead_.insert(owner);
  // Destroying a frame may post, cancel or release: everything is taken out first.
  std::vector<Job> jobs;
  for (Ready& item : ready_) {
    if (item.owner == owner) jobs.push_back(std::move(item.job));
  }
  std::erase_if(ready_, [&](const Ready& item) { return item.owner == owner; });
  for (auto timer = timers_.begin(); timer != timers_.end();) {
    if (timer->second.owner != owner) {
      ++timer;
      continue;
    }
    due_of_.erase(timer->first.second);
    jobs.push_back(std::move(timer->second.job));
    timer = timers_.erase(timer);
  }
  auto held = std::move(held_[owner]);
  held_.erase(owner);
  for (auto& [place, waiting] : held) waiting->drop();
  jobs.clear();
}

void Scheduler::hold(Owner owner, std::shared_ptr<Droppable> waiting) {
  waiting->held_as = next_held_++;
  const std::uint64_t place = waiting->held_as;
  if (alive(owner)) held_[owner].emplace(place, std::move(waiting));
}

void Scheduler::release(Owner owner, const Droppable* waiting) {
  const auto found = held_.find(owner);
  if (found != held_.end()) found->second.erase(waiting->held_as);
}

void Scheduler::say(std::string text) {
  const double seconds = std::chrono::duration<double>(now_).count();
  trace_.line(fmt::format("{:12.6f} {}", seconds, text));
}

}  // namespace mcv::sim
