// SPDX-License-Identifier: Apache-2.0
#include "cluster/membership/corosync_service.h"

namespace mcv {
namespace {

// Starting waits for the unit, which waits for the first membership: about the join timeout.
constexpr std::chrono::seconds unit_deadline{60};

boost::asio::awaitable<Status> systemctl(host::Processes& processes, host::Argv words) {
  host::Command command;
  command.argv = {"systemctl"};
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  command.deadline = unit_deadline;
  const auto result = co_await host::run_ok(processes, std::move(command));
  if (result.ok()) co_return success();
  Error error = result.error();
  co_return std::move(error).with_next("journalctl -u corosync -n 30");
}

boost::asio::awaitable<Result<Written>> ensure_text(host::Files& files, std::string path, std::string text, unsigned mode) {
  const auto before = co_await files.read(path);
  if (before.ok() && *before == text) co_return Written::no;
  if (!before.ok() && before.error().code() != ErrorCode::not_found) co_return before.error();
  const Status written = co_await files.write_durably(path, std::move(text), mode);
  if (!written.ok()) co_return written.error();
  co_return Written::yes;
}

}  // namespace

boost::asio::awaitable<Result<Written>> ensure_corosync_configured(host::Files& files, CorosyncConfig config, std::string key) {
  const std::string key_path(corosync_key_path);
  const std::string conf_path(corosync_conf_path);
  std::string text = render_corosync_conf(config);
  MCV_CO_TRY(const Written key_written, co_await ensure_text(files, key_path, std::move(key), 0400));
  MCV_CO_TRY(const Written conf_written, co_await ensure_text(files, conf_path, std::move(text), 0644));
  const bool any = key_written == Written::yes || conf_written == Written::yes;
  co_return any ? Written::yes : Written::no;
}

boost::asio::awaitable<Result<std::optional<std::string>>> read_corosync_key(host::Files& files) {
  const std::string path(corosync_key_path);
  const auto key = co_await files.read(path);
  if (key.ok()) co_return std::optional<std::string>(*key);
  if (key.error().code() == ErrorCode::not_found) co_return std::optional<std::string>();
  co_return key.error();
}

boost::asio::awaitable<Status> ensure_corosync_running(host::Processes& processes, Written written) {
  host::Argv enable = {"enable", "--now", "corosync"};
  MCV_CO_CHECK(co_await systemctl(processes, std::move(enable)));
  if (written == Written::no) co_return success();
  host::Argv restart = {"restart", "corosync"};
  const Status restarted = co_await systemctl(processes, std::move(restart));
  co_return restarted;
}

boost::asio::awaitable<Status> ensure_corosync_stopped(host::Processes& processes) {
  host::Argv disable = {"disable", "--now", "corosync"};
  const Status disabled = co_await systemctl(processes, std::move(disable));
  co_return disabled;
}

boost::asio::awaitable<Status> ensure_corosync_gone(host::Processes& processes, host::Files& files) {
  MCV_CO_CHECK(co_await ensure_corosync_stopped(processes));
  const std::string conf_path(corosync_conf_path);
  MCV_CO_CHECK(co_await files.remove(conf_path));
  const std::string key_path(corosync_key_path);
  const Status removed = co_await files.remove(key_path);
  co_return removed;
}

}  // namespace mcv
