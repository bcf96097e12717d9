// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "cluster/host/processes.h"
#include "cluster/host/streams.h"
#include "engine/reply.h"
#include "world/sim_machine.h"

namespace mcv::sim {

/// What goes wrong with tools, by the seed.
struct ToolFaults {
  unsigned fail_percent = 0;   ///< exit 5, before or after the effect
  unsigned hang_percent = 0;   ///< `timed_out` at the deadline, with or without the effect
  static constexpr std::uint64_t usual_ms = 60;
  std::uint64_t slowest_ms = usual_ms;
  /// Coverage: called for each run with what was injected ("ok", "fails before", …).
  std::function<void(const host::Argv& argv, const std::string& fault)> seen;
};

/// Runs argv on the machine. A tool goes on when the daemon ends; it does not when the power does.
class SimProcesses final : public host::Processes {
 public:
  SimProcesses(Scheduler& scheduler, Owner owner, SimMachine& machine, ToolFaults& faults)
      : scheduler_(scheduler), owner_(owner), machine_(machine), faults_(faults) {}
  boost::asio::awaitable<Result<host::ProcessResult>> run(host::Command command) override;
  boost::asio::awaitable<Result<std::unique_ptr<host::LineStream>>> stream(host::Argv argv) override;

 private:
  Scheduler& scheduler_;
  Owner owner_;
  SimMachine& machine_;
  ToolFaults& faults_;
};

/// Monitors and consoles of the machine's VMMs.
class SimSockets final : public host::UnixSockets {
 public:
  SimSockets(Scheduler& scheduler, Owner owner, SimMachine& machine) : scheduler_(scheduler), owner_(owner), machine_(machine) {}
  boost::asio::awaitable<Result<std::unique_ptr<host::ByteStream>>> connect(std::string path) override;
  boost::asio::awaitable<Result<host::HttpResponse>> http(std::string path, host::HttpRequest request, std::chrono::milliseconds deadline) override;
  Status send_datagram(const std::string& path, const std::string& bytes) override;

 private:
  Scheduler& scheduler_;
  Owner owner_;
  SimMachine& machine_;
};

}  // namespace mcv::sim
