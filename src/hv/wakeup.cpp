// SPDX-License-Identifier: Apache-2.0
#include "hv/wakeup.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/multiple_exceptions.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <cstdint>
#include <exception>
#include <utility>

namespace mcv::hv {

namespace asio = boost::asio;

// A timer that never expires is Asio's condition variable: cancelling it wakes all who wait.
struct Wakeup::State {
  asio::steady_timer timer;
  std::uint64_t notifications = 0;
};

namespace {

asio::awaitable<void> wait_from(std::shared_ptr<Wakeup::State> state, std::uint64_t seen) {
  while (state->notifications == seen) {
    const auto token = asio::as_tuple(asio::use_awaitable);
    const auto outcome = co_await state->timer.async_wait(token);
    static_cast<void>(outcome);
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) throw boost::system::system_error(asio::error::operation_aborted);
  }
}

asio::awaitable<void> first_of(asio::awaitable<void> a, asio::awaitable<void> b) {
  using namespace asio::experimental::awaitable_operators;
  auto both = std::move(a) || std::move(b);
  try {
    const auto which = co_await std::move(both);
    static_cast<void>(which);
  } catch (const asio::multiple_exceptions& failures) {
    // Both were cancelled: to the caller that is one cancellation.
    std::rethrow_exception(failures.first_exception());
  }
}

}  // namespace

Wakeup::Wakeup(asio::any_io_executor executor)
    : state_(std::make_shared<State>(State{asio::steady_timer(executor, asio::steady_timer::time_point::max())})) {}

Wakeup::~Wakeup() = default;

void Wakeup::notify() {
  ++state_->notifications;
  state_->timer.cancel();
}

asio::awaitable<void> Wakeup::wait() { return wait_from(state_, state_->notifications); }

asio::awaitable<void> Wakeup::wait_for(host::Clock& clock, host::Duration at_most) {
  return first_of(wait_from(state_, state_->notifications), clock.sleep_for(at_most));
}

}  // namespace mcv::hv
