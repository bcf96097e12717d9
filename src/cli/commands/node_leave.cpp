// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>

#include "cli/commands/commands.h"
#include "cli/interrupts.h"
#include "cli/render/text.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

using namespace std::chrono_literals;

// Longer than mcvd's own bounds together, shorter than the unit's TimeoutStopSec.
constexpr auto patience = 200s;
constexpr auto retry_pause = 1s;
/// How long a daemon that does not answer is waited for: systemd starts it again, unless somebody had stopped it.
constexpr auto absence = 15s;

/// mcvd may be killed in the middle and started again: it goes on where it was.
Result<Json> leave(Session& session) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  auto heard = std::chrono::steady_clock::now();
  MCV_TRY(const std::string target, session.target("POST", "/v1/node/leave", {}));
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    auto reply = session.client().request("POST", target, Json::object(), std::max(left, std::chrono::milliseconds(1000)));
    if (reply.ok()) return std::move(reply->body);
    const ErrorCode code = reply.error().code();
    const auto now = std::chrono::steady_clock::now();
    if (code == ErrorCode::connection_lost) heard = now;
    const bool may_come_back = code == ErrorCode::connection_lost || (code == ErrorCode::daemon_unreachable && now - heard < absence);
    if (!may_come_back || now + retry_pause >= deadline) return std::move(reply).error();
    if (wait({}, retry_pause) == Waited::interrupted) return Error(ErrorCode::cancelled, "interrupted").with_safe("mcvd goes on with the leave");
  }
}

Result<int> run_node_leave(Session& session, const Arguments&) {
  if (session.globals().dry_run) {
    MCV_TRY(const Outcome planned, session.submit("POST", "/v1/node/leave", {}, Json::object()));
    return session.finish(planned, "");
  }
  MCV_TRY(const Json answer, leave(session));
  if (session.json()) {
    session.print(answer);
    return 0;
  }
  const Json& result = object_at(answer, "result");
  for (const Json& line : list_at(result, "done")) {
    if (line.is_string()) session.out() << printable(line.get<std::string>()) << '\n';
  }
  session.out() << (flag_at(result, "left") ? "This node left in order.\n" : "Nobody was told that this node left.\n");
  return 0;
}

}  // namespace

Command node_leave() {
  return {.name = "node leave",
          .summary = "leave in order, because this machine is being shut down",
          .details = "Run by mcv-leave.service at every reboot and power-off, before network, corosync, mcvd and the guests are stopped; refused at any other time, when --dry-run still shows what it would do. Guests "
                     "of this node are stopped (a minute each, all at once, then their power is cut), replicated disks are closed, both nodes commit that this one left, "
                     "and its legs are taken down. The other node then goes on without waiting for anybody. When the other node is not there the guests are stopped all "
                     "the same, and it is said that nobody was told.\n\n"
                     "A node that left opens nothing replicated until it was booted again and met the other one, which happens by itself.",
          .routes = {{"POST", "/v1/node/leave"}},
          .examples = {"hvctl node leave"},
          .run = run_node_leave};
}

}  // namespace mcv::cli::commands
