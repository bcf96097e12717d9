// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/corosync/cpg_channel.h"

#include <corosync/cpg.h>
#include <sys/uio.h>

#include <algorithm>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstring>
#include <deque>
#include <fmt/format.h>
#include <functional>

namespace mcv::host {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t message_limit = 900 * 1024;
constexpr auto patience = 2s;
constexpr auto first_pause = 1ms;
constexpr auto longest_pause = 50ms;

Error corosync_error(ErrorCode code, const char* doing, cs_error_t error) {
  return Error(code, fmt::format("{}: {}", doing, cs_strerror(error))).with_next("systemctl status corosync");
}

}  // namespace

/// One cpg handle. Callbacks find it by the handle's context, which is cleared before it goes.
struct CpgChannel::Connection {
  explicit Connection(const asio::any_io_executor& executor) : descriptor(executor) {}
  ~Connection() {
    // libcpg owns the descriptor.
    if (descriptor.is_open()) descriptor.release();
    if (handle != 0) cpg_finalize(handle);
  }
  cpg_handle_t handle = 0;
  asio::posix::stream_descriptor descriptor;
  State* state = nullptr;
};

struct CpgChannel::State : std::enable_shared_from_this<State> {
  State(asio::any_io_executor the_executor, std::string group) : executor(std::move(the_executor)) {
    std::memset(&name, 0, sizeof name);
    name.length = static_cast<std::uint32_t>(std::min(group.size(), sizeof name.value - 1));
    std::memcpy(name.value, group.data(), name.length);
  }

  asio::any_io_executor executor;
  cpg_name name;
  std::unique_ptr<Connection> connection;
  std::deque<GroupEvent> events;
  std::function<void(boost::system::error_code)> waiter;

  void push(GroupEvent event) {
    events.push_back(std::move(event));
    wake({});
  }
  void wake(boost::system::error_code error) {
    if (!waiter) return;
    asio::post(executor, [woken = std::exchange(waiter, nullptr), error] { woken(error); });
  }
  void close(std::string reason) {
    if (!connection) return;
    connection.reset();
    push(GroupLost{std::move(reason)});
  }

  static void delivered(cpg_handle_t handle, const cpg_name*, std::uint32_t node, std::uint32_t, void* bytes, std::size_t size) {
    if (State* state = find(handle)) state->push(GroupMessage{node, std::string(static_cast<const char*>(bytes), size)});
  }
  static void changed(cpg_handle_t handle, const cpg_name*, const cpg_address* members, std::size_t count, const cpg_address*, std::size_t,
                      const cpg_address*, std::size_t) {
    State* state = find(handle);
    if (state == nullptr) return;
    // Two processes of one node (one going, one coming) are one member; who left or came is told by the list alone.
    GroupMembership membership;
    for (std::size_t i = 0; i < count; ++i) membership.members.push_back(members[i].nodeid);
    std::sort(membership.members.begin(), membership.members.end());
    membership.members.erase(std::unique(membership.members.begin(), membership.members.end()), membership.members.end());
    state->push(std::move(membership));
  }
  static State* find(cpg_handle_t handle) {
    void* context = nullptr;
    if (cpg_context_get(handle, &context) != CS_OK || context == nullptr) return nullptr;
    return static_cast<Connection*>(context)->state;
  }

  /// Dispatches whenever corosync has something, until this connection is replaced.
  static void watch(const std::shared_ptr<State>& self) {
    Connection* const watched = self->connection.get();
    watched->descriptor.async_wait(asio::posix::stream_descriptor::wait_read, [self, watched](boost::system::error_code error) {
      if (self->connection.get() != watched) return;
      if (error) return self->close(error.message());
      const cs_error_t result = cpg_dispatch(watched->handle, CS_DISPATCH_ALL);
      if (self->connection.get() != watched) return;
      if (result != CS_OK && result != CS_ERR_TRY_AGAIN) return self->close(fmt::format("corosync went away: {}", cs_strerror(result)));
      watch(self);
    });
  }

  // An initiation lives in a plain function without co_await (GCC 12, docs/architecture.md).
  static asio::awaitable<void> wait(std::shared_ptr<State> self) {
    auto initiate = [self](auto handler) {
      auto slot = asio::get_associated_cancellation_slot(handler);
      if (slot.is_connected()) slot.assign([self](asio::cancellation_type) { self->wake(asio::error::operation_aborted); });
      auto shared = std::make_shared<decltype(handler)>(std::move(handler));
      self->waiter = [shared](boost::system::error_code error) { std::move(*shared)(error); };
    };
    return asio::async_initiate<const asio::use_awaitable_t<>, void(boost::system::error_code)>(std::move(initiate), asio::use_awaitable);
  }
};

namespace {

asio::awaitable<void> pause_for(asio::any_io_executor executor, std::chrono::milliseconds duration) {
  asio::steady_timer timer(executor, duration);
  co_await timer.async_wait(asio::use_awaitable);
}

/// Repeats `attempt` while corosync asks to.
asio::awaitable<cs_error_t> retried(asio::any_io_executor executor, std::function<cs_error_t()> attempt) {
  const auto end = std::chrono::steady_clock::now() + patience;
  std::chrono::milliseconds pause = first_pause;
  cs_error_t result = attempt();
  while (result == CS_ERR_TRY_AGAIN && std::chrono::steady_clock::now() < end) {
    co_await pause_for(executor, pause);
    pause = std::min<std::chrono::milliseconds>(pause * 2, longest_pause);
    result = attempt();
  }
  co_return result;
}

}  // namespace

CpgChannel::CpgChannel(asio::any_io_executor executor, std::string group_name)
    : state_(std::make_shared<State>(std::move(executor), std::move(group_name))) {}

CpgChannel::~CpgChannel() {
  state_->connection.reset();
  state_->waiter = nullptr;
}

asio::awaitable<Status> CpgChannel::join() {
  const auto state = state_;
  state->connection.reset();
  state->events.clear();
  auto connection = std::make_unique<Connection>(state->executor);
  connection->state = state.get();
  Connection* const fresh = connection.get();
  std::function<cs_error_t()> attempt = [fresh] {
    cpg_model_v1_data_t model{};
    model.model = CPG_MODEL_V1;
    model.cpg_deliver_fn = State::delivered;
    model.cpg_confchg_fn = State::changed;
    return cpg_model_initialize(&fresh->handle, CPG_MODEL_V1, reinterpret_cast<cpg_model_data_t*>(&model), fresh);
  };
  cs_error_t result = co_await retried(state->executor, attempt);
  if (result != CS_OK) {
    fresh->handle = 0;
    co_return corosync_error(ErrorCode::daemon_unreachable, "corosync does not answer on this node", result);
  }
  int descriptor = -1;
  result = cpg_fd_get(fresh->handle, &descriptor);
  if (result != CS_OK) co_return corosync_error(ErrorCode::daemon_unreachable, "corosync gave no descriptor", result);
  fresh->descriptor.assign(descriptor);
  attempt = [fresh, state] { return cpg_join(fresh->handle, &state->name); };
  result = co_await retried(state->executor, attempt);
  if (result != CS_OK) co_return corosync_error(ErrorCode::daemon_unreachable, "the group could not be joined", result);
  state->connection = std::move(connection);
  State::watch(state);
  co_return success();
}

asio::awaitable<Status> CpgChannel::multicast(std::string bytes) {
  const auto state = state_;
  if (bytes.size() > message_limit) {
    co_return Error(ErrorCode::too_large, fmt::format("a message of {} bytes is over the limit of {}", bytes.size(), message_limit));
  }
  std::function<cs_error_t()> attempt = [state, &bytes] {
    // Looked up at every attempt: `leave` may have been called meanwhile.
    if (!state->connection) return CS_ERR_BAD_HANDLE;
    iovec vector{bytes.data(), bytes.size()};
    return cpg_mcast_joined(state->connection->handle, CPG_TYPE_AGREED, &vector, 1);
  };
  const cs_error_t result = co_await retried(state->executor, attempt);
  if (result == CS_OK) co_return success();
  if (result == CS_ERR_TRY_AGAIN) co_return corosync_error(ErrorCode::connection_lost, "corosync took no message for two seconds", result);
  co_return corosync_error(ErrorCode::connection_lost, "the message could not be sent", result);
}

asio::awaitable<GroupEvent> CpgChannel::next() {
  const auto state = state_;
  while (state->events.empty()) co_await State::wait(state);
  GroupEvent event = std::move(state->events.front());
  state->events.pop_front();
  co_return event;
}

void CpgChannel::leave() {
  const auto state = state_;
  if (!state->connection) return;
  cpg_leave(state->connection->handle, &state->name);
  state->events.clear();
  state->close("left");
}

}  // namespace mcv::host
