// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/change_signal.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>
#include <utility>

namespace mcv::drbd {

namespace asio = boost::asio;

namespace {

using Waiter = asio::experimental::channel<void(boost::system::error_code)>;

}  // namespace

struct ChangeSignal::State {
  asio::any_io_executor executor;
  std::uint64_t count = 0;
  std::list<std::shared_ptr<Waiter>> waiters;
};

ChangeSignal::ChangeSignal(asio::any_io_executor executor) : state_(std::make_shared<State>()) { state_->executor = std::move(executor); }
ChangeSignal::~ChangeSignal() = default;

std::uint64_t ChangeSignal::count() const { return state_->count; }

void ChangeSignal::notify() {
  ++state_->count;
  for (const auto& waiter : std::exchange(state_->waiters, {})) waiter->try_send(boost::system::error_code());
}

namespace {

asio::awaitable<void> receive(std::shared_ptr<Waiter> waiter) {
  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  co_await waiter->async_receive(token);
}

}  // namespace

asio::awaitable<bool> ChangeSignal::wait_beyond(std::uint64_t seen, host::Clock& clock, host::Duration bound) {
  using namespace asio::experimental::awaitable_operators;
  const auto state = state_;
  if (state->count > seen) co_return true;
  const auto waiter = std::make_shared<Waiter>(state->executor, 1);
  state->waiters.push_back(waiter);
  auto received = receive(waiter);
  auto slept = clock.sleep_for(bound);
  co_await (std::move(received) || std::move(slept));
  state->waiters.remove(waiter);
  co_return state->count > seen;
}

}  // namespace mcv::drbd
