// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/volume_tools.h"

#include <fmt/format.h>
#include <utility>

#include "storage/drbd/resource_file.h"
#include "storage/drbd/tool_errors.h"

namespace mcv::drbd {

namespace asio = boost::asio;

asio::awaitable<Result<std::optional<ResourceFacts>>> look(DrbdMonitor& monitor, VolumeName volume) {
  // From a command's success to its event: the kernel sends it before the command returns, the reader needs a moment.
  constexpr std::chrono::seconds lag{10};
  Condition known = [](const ResourceFacts*) { return true; };
  MCV_CO_TRY(const ResourceFacts ignored, co_await monitor.wait_until(volume, std::move(known), lag, "known"));
  static_cast<void>(ignored);
  std::optional<ResourceFacts> facts;
  if (const ResourceFacts* found = monitor.find(volume)) facts = *found;
  co_return facts;
}

asio::awaitable<Status> run_tool(host::Host& host, VolumeName volume, host::Command command) {
  const host::Argv argv = command.argv;
  MCV_CO_TRY(const host::ProcessResult done, co_await host.processes.run(std::move(command)));
  if (done.ok()) co_return success();
  co_return error_of(volume, argv, done);
}

Error not_configured(const VolumeName& volume) {
  return Error(ErrorCode::not_found, fmt::format("volume {} is not configured in the kernel of this node", volume.str()))
      .with_next(fmt::format("drbdadm adjust {}", resource_name(volume)));
}

}  // namespace mcv::drbd
