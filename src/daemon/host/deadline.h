// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>

namespace mcv::host {

/// Calls `on_expiry` once on the loop, unless it was destroyed before. Used to close a connection, which ends whatever
/// waits on it; `expired` then tells a deadline from every other reason for the end.
class Deadline {
 public:
  Deadline(boost::asio::any_io_executor loop, std::chrono::milliseconds after, std::function<void()> on_expiry)
      : state_(std::make_shared<State>(loop)) {
    state_->on_expiry = std::move(on_expiry);
    state_->timer.expires_after(after);
    state_->timer.async_wait([state = state_](const boost::system::error_code& code) {
      if (code || !state->on_expiry) return;
      state->expired = true;
      std::exchange(state->on_expiry, nullptr)();
    });
  }
  ~Deadline() {
    state_->on_expiry = nullptr;
    state_->timer.cancel();
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  bool expired() const { return state_->expired; }

 private:
  struct State {
    explicit State(boost::asio::any_io_executor loop) : timer(loop) {}
    boost::asio::steady_timer timer;
    std::function<void()> on_expiry;
    bool expired = false;
  };
  std::shared_ptr<State> state_;
};

}  // namespace mcv::host
