// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "cluster/core/task_group.h"
#include "cluster/host/clock.h"
#include "cluster/host/streams.h"
#include "cluster/host/wakeup.h"
#include "hv/qemu/qmp_message.h"

namespace mcv::hv::qemu {

/// One connection to a QEMU: commands with a deadline, events as they come. Loop thread only.
class QmpConnection : public std::enable_shared_from_this<QmpConnection> {
 public:
  using OnEvent = std::function<void(const QmpEvent&)>;
  /// Connects, reads the greeting, leaves negotiation mode. `on_end` is called once, when QEMU hung up or `close` was called.
  static boost::asio::awaitable<Result<std::shared_ptr<QmpConnection>>> open(boost::asio::any_io_executor executor, host::Clock& clock,
                                                                             host::UnixSockets& sockets, std::string path,
                                                                             host::Duration deadline, OnEvent on_event,
                                                                             std::function<void()> on_end);
  QmpConnection(boost::asio::any_io_executor executor, host::Clock& clock, std::shared_ptr<host::ByteStream> stream, OnEvent on_event,
                std::function<void()> on_end);

  /// `vmm_failed` with QEMU's text when refused, `connection_lost` when it hung up, `timed_out` when it may yet happen.
  boost::asio::awaitable<Result<Json>> execute(std::string command, Json arguments, host::Duration deadline);
  bool is_open() const { return open_; }
  void close();

 private:
  static boost::asio::awaitable<void> read_all(std::shared_ptr<QmpConnection> self);
  void take(QmpMessage message);
  boost::asio::awaitable<Status> wait_for_greeting(host::Duration deadline);

  host::Clock& clock_;
  std::shared_ptr<host::ByteStream> stream_;
  OnEvent on_event_;
  std::function<void()> on_end_;
  bool open_ = true;
  bool greeted_ = false;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, std::optional<Result<Json>>> answers_;  ///< one entry per command that waits
  host::Wakeup changed_;
  TaskGroup tasks_;
};

}  // namespace mcv::hv::qemu
