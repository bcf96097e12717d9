// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/core/result.h"

namespace mcv::host {

using Argv = std::vector<std::string>;

/// One run of a tool. Never a shell: argv goes to execve as it is. The environment is fixed (PATH, LC_ALL=C.UTF-8).
struct Command {
  Argv argv;
  std::chrono::milliseconds deadline{30'000};  ///< then SIGKILL to the process group, and `timed_out`
  std::string input;                           ///< written to standard input, never logged
};

struct ProcessResult {
  int exit_code = 0;  ///< 128 + signal when killed by one
  std::string out;    ///< at most 16 MiB; more is an error
  std::string err;
  bool ok() const { return exit_code == 0; }
};

/// The lines of a process that keeps running, such as `drbdsetup events2`.
class LineStream {
 public:
  virtual ~LineStream() = default;  ///< ends the process
  /// The next line without its newline; nullopt when the process ended. Cancellable.
  virtual boost::asio::awaitable<Result<std::optional<std::string>>> next() = 0;
};

class Processes {
 public:
  virtual ~Processes() = default;
  /// Ends by itself within the deadline. A non-zero exit is a ProcessResult, not an Error: errors are "could not be
  /// run" (command_missing), "did not end" (timed_out).
  virtual boost::asio::awaitable<Result<ProcessResult>> run(Command command) = 0;
  virtual boost::asio::awaitable<Result<std::unique_ptr<LineStream>>> stream(Argv argv) = 0;
};

/// Runs and turns a non-zero exit into `command_failed` with the tool's own last words.
boost::asio::awaitable<Result<std::string>> run_ok(Processes& processes, Command command);

/// One line an operator can paste into a shell.
std::string to_shell_line(const Argv& argv);

}  // namespace mcv::host
