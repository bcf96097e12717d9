// SPDX-License-Identifier: Apache-2.0
#include "daemon/node/verify_timer.h"

#include <fmt/format.h>
#include <memory>
#include <optional>
#include <spdlog/spdlog.h>

#include "cluster/model/verify_policy.h"
#include "daemon/node/node.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

constexpr const char* timer_unit = "mcv-verify.timer";
constexpr const char* drop_in_directory = "/run/systemd/system/mcv-verify.timer.d";
constexpr host::Duration timer_pause = std::chrono::seconds(60);

struct Follower {
  std::optional<std::string> wanted;
  bool working = false;
  bool again = false;
};

asio::awaitable<Status> systemctl(Node& node, std::vector<std::string> words) {
  host::Command command;
  command.argv = {"systemctl"};
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  MCV_CO_TRY(const std::string said, co_await host::run_ok(node.host.processes, std::move(command)));
  static_cast<void>(said);
  co_return success();
}

asio::awaitable<Status> switch_off(Node& node) {
  std::string path = verify_timer_drop_in;
  MCV_CO_CHECK(co_await node.host.files.remove(std::move(path)));
  std::vector<std::string> reload = {"daemon-reload"};
  MCV_CO_CHECK(co_await systemctl(node, std::move(reload)));
  std::vector<std::string> stop = {"stop", timer_unit};
  const Status stopped = co_await systemctl(node, std::move(stop));
  co_return stopped;
}

/// Also when the file says so already: a daemon that died in between had not started the timer.
asio::awaitable<Status> switch_on(Node& node, std::string calendar) {
  std::string directory = drop_in_directory;
  MCV_CO_CHECK(co_await node.host.files.make_directory(std::move(directory), 0755));
  std::string path = verify_timer_drop_in;
  std::string text = verify_timer_text(calendar);
  MCV_CO_CHECK(co_await node.host.files.write_durably(std::move(path), std::move(text), 0644));
  std::vector<std::string> reload = {"daemon-reload"};
  MCV_CO_CHECK(co_await systemctl(node, std::move(reload)));
  std::vector<std::string> restart = {"restart", timer_unit};
  const Status restarted = co_await systemctl(node, std::move(restart));
  co_return restarted;
}

asio::awaitable<void> follow(Node& node, std::shared_ptr<Follower> follower) {
  while (follower->again) {
    follower->again = false;
    const std::string calendar = *follower->wanted;
    Status done = success();
    if (calendar == "off") {
      done = co_await switch_off(node);
    } else {
      done = co_await switch_on(node, calendar);
    }
    if (done.ok()) {
      spdlog::info("verifies by timer: {}", calendar);
      continue;
    }
    spdlog::warn("the timer of verifies does not follow the cluster's calendar '{}': {}", calendar, done.error().message());
    follower->again = true;
    co_await node.host.clock.sleep_for(timer_pause);
  }
  follower->working = false;
}

void notice(Node& node, const std::shared_ptr<Follower>& follower) {
  const auto calendar = verify_policy(node.shared.current()).calendar;
  if (!calendar || calendar == follower->wanted) return;
  follower->wanted = calendar;
  follower->again = true;
  if (std::exchange(follower->working, true)) return;
  node.tasks.spawn(follow(node, follower));
}

}  // namespace

std::string verify_timer_text(const std::string& calendar) {
  return fmt::format("# Written by mcvd: hvctl cluster update --verify-calendar\n[Timer]\nOnCalendar=\nOnCalendar={}\n", calendar);
}

asio::awaitable<Status> check_calendar(Node& node, std::string calendar) {
  host::Command command;
  command.argv = {"systemd-analyze", "calendar", "--", calendar};
  MCV_CO_TRY(const host::ProcessResult said, co_await node.host.processes.run(std::move(command)));
  if (said.ok()) co_return success();
  co_return Error(ErrorCode::bad_request, fmt::format("'{}' is no calendar of systemd", calendar))
      .with_safe("nothing was changed")
      .with_next(fmt::format("systemd-analyze calendar '{}'; for example: Sun 02:00, or *-*-01 03:30", calendar));
}

void follow_verify_calendar(Node& node) {
  const auto follower = std::make_shared<Follower>();
  node.shared.on_commit([&node, follower]() { notice(node, follower); });
  notice(node, follower);
}

}  // namespace mcv
