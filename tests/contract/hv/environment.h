// SPDX-License-Identifier: Apache-2.0
// What the guest suite runs on: a real node (real_environment.cpp) or a modelled one (tests/unit/hv/fake_environment.cpp).
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "hv/guest_manager.h"

namespace mcv::hv {

class Environment {
 public:
  virtual ~Environment() = default;
  virtual boost::asio::io_context& loop() = 0;
  virtual GuestServices services() = 0;
  virtual GuestConfig config() = 0;
  /// The VM that uses disk number `disk` (0 or 1); `more` is added to the kernel's command line.
  virtual VmLaunch launch(const std::string& vm, int disk, const std::string& more) = 0;
  /// Handles events until `done` or until `at_most` of the environment's time passed (a real node: times LAB_SLOW).
  virtual bool drive(std::function<bool()> done, host::Duration at_most) = 0;
  /// SIGKILL to the VMM, by nobody who would tell the daemon.
  virtual void murder(const std::string& vm) = 0;
  /// Whether the guest turned itself off, from its VMM and not from the daemon.
  virtual bool guest_is_off(const std::string& vm) = 0;
  /// Whether anybody has the disk open; only then may it be demoted.
  virtual bool disk_is_open(int disk) = 0;
  /// What the disk proves: consecutive records, or nothing when there is a gap or two runs mixed.
  virtual std::optional<std::uint64_t> records(int disk) = 0;

  template <typename T>
  T run(boost::asio::awaitable<T> task) {
    std::optional<T> result;
    std::exception_ptr failure;
    auto on_end = [&result, &failure](std::exception_ptr error, T value) {
      failure = error;
      result.emplace(std::move(value));
    };
    boost::asio::co_spawn(loop(), std::move(task), std::move(on_end));
    drive([&result] { return result.has_value(); }, std::chrono::hours(1));
    if (failure) std::rethrow_exception(failure);
    return std::move(result).value();
  }
  void run(boost::asio::awaitable<void> task) {
    bool ended = false;
    std::exception_ptr failure;
    auto on_end = [&ended, &failure](std::exception_ptr error) {
      failure = error;
      ended = true;
    };
    boost::asio::co_spawn(loop(), std::move(task), std::move(on_end));
    drive([&ended] { return ended; }, std::chrono::hours(1));
    if (failure) std::rethrow_exception(failure);
  }
};

/// "qemu" or "cloud-hypervisor", with empty disks; nullptr with the reason printed when this environment does not have it.
std::unique_ptr<Environment> make_environment(const std::string& hypervisor, std::string& reason);
/// A real node as it is: for a second process beside the suite's.
std::unique_ptr<Environment> join_environment();

}  // namespace mcv::hv
