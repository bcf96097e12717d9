// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <string>

#include "cluster/host/processes.h"

namespace mcv::host {

/// Runs programs with posix_spawn. Every run is logged at debug as a line to paste, with its duration and exit code; what
/// goes to standard input is not. Ignores SIGPIPE in this process, so that a tool which does not read its input is an
/// exit code and not our death.
class RealProcesses : public Processes {
 public:
  static constexpr const char* fixed_path = "/usr/sbin:/usr/bin:/sbin:/bin";

  explicit RealProcesses(boost::asio::any_io_executor loop, std::string search_path = fixed_path);
  boost::asio::awaitable<Result<ProcessResult>> run(Command command) override;
  boost::asio::awaitable<Result<std::unique_ptr<LineStream>>> stream(Argv argv) override;

 private:
  boost::asio::any_io_executor loop_;
  std::string search_path_;
};

}  // namespace mcv::host
