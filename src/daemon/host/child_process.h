// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <optional>
#include <string>

#include "cluster/core/result.h"
#include "cluster/host/processes.h"

namespace mcv::host {

/// A started process: a process group without a terminal, nothing inherited but standard input, output and error.
/// Destroyed before it was reaped: SIGKILL to the group, and the loop reaps it whenever the kernel lets go of it.
class ChildProcess {
 public:
  /// `search_path` replaces the daemon's PATH both for finding argv[0] and in the child. Without `with_input` standard
  /// input is /dev/null. Errors: `command_missing`, `io_error`.
  static Result<std::unique_ptr<ChildProcess>> start(boost::asio::any_io_executor loop, const Argv& argv, const std::string& search_path,
                                                     bool with_input);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  boost::asio::posix::stream_descriptor& input() { return input_; }
  boost::asio::posix::stream_descriptor& output() { return output_; }
  boost::asio::posix::stream_descriptor& error_output() { return error_output_; }
  /// Readable when the process has ended.
  boost::asio::posix::stream_descriptor& exit_event() { return pidfd_; }

  void kill_group();
  /// The exit code (128 + signal when killed by one) once it has ended; nullopt before.
  std::optional<int> reap();
  pid_t pid() const { return pid_; }

 private:
  explicit ChildProcess(boost::asio::any_io_executor loop);

  pid_t pid_ = -1;
  std::optional<int> exit_code_;
  boost::asio::posix::stream_descriptor input_;
  boost::asio::posix::stream_descriptor output_;
  boost::asio::posix::stream_descriptor error_output_;
  boost::asio::posix::stream_descriptor pidfd_;
};

}  // namespace mcv::host
