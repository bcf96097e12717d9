// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "daemon/host/await_once.h"
#include "daemon/host/child_process.h"

namespace mcv::host {

/// One command from start to exit: feeds its input, gathers its output, holds its deadline. Callbacks instead of
/// coroutines, because four things wait at once and any of them may end the run.
class ProcessRun : public std::enable_shared_from_this<ProcessRun> {
 public:
  ProcessRun(boost::asio::any_io_executor loop, std::unique_ptr<ChildProcess> child, Command command);

  void begin(Answer<Result<ProcessResult>> answer);
  void cancel();

 private:
  using Stream = boost::asio::posix::stream_descriptor;

  void wait_output(Stream& stream, std::string& text);
  void wait_input();
  void wait_exit();
  void wait_deadline();
  /// Reads until the pipe is empty; false at its end or when the limit is passed.
  bool drain(Stream& stream, std::string& text);
  void on_deadline();
  void finish(Result<ProcessResult> result);

  std::unique_ptr<ChildProcess> child_;
  Command command_;
  std::size_t written_ = 0;
  ProcessResult result_;
  bool too_much_ = false;
  bool past_deadline_ = false;
  boost::asio::steady_timer timer_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::optional<Answer<Result<ProcessResult>>> answer_;
};

}  // namespace mcv::host
