// SPDX-License-Identifier: Apache-2.0
// A daemon that is killed with SIGKILL while a guest prints all the time: as a service with a store for its console
// connections, as mcvd.service is. This binary itself is that daemon: hv_contract_test --serve VM.
#include <array>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <string_view>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "guest_fixture.h"

namespace mcv::hv {
namespace {

constexpr const char* service = "mcv-contract-daemon.service";

std::string own_path() {
  std::array<char, 4096> path{};
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
  return std::string(path.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
}

class KilledDaemon : public GuestFixture {
 protected:
  void TearDown() override {
    if (serving_) stop_serving();
    if (environment_ && !manager_) new_daemon();
    GuestFixture::TearDown();
  }
  std::string tool(host::Argv argv) {
    GuestServices services = environment_->services();
    host::Command command;
    command.argv = std::move(argv);
    const Result<host::ProcessResult> done = environment_->run(services.processes.run(command));
    if (!done.ok()) return {};
    if (!done->ok()) fmt::print(stderr, "{}: {}\n", host::to_shell_line(command.argv), done->err);
    return done->out;
  }
  void stop_serving() {
    tool({"systemctl", "stop", service});
    serving_ = false;
  }
  bool serve(const std::string& vm) {
    serving_ = true;
    tool({"systemd-run", "--quiet", "--collect", std::string("--unit=") + service, "--service-type=notify", "--property=NotifyAccess=main",
          "--property=FileDescriptorStoreMax=16", "--property=Restart=always", "--property=RestartSec=100ms", "--property=StartLimitIntervalSec=0",
          "--property=TimeoutStopSec=60", fmt::format("--setenv=MCV_NODE_DISK0={}", std::getenv("MCV_NODE_DISK0")),
          fmt::format("--setenv=MCV_CLOUD_HYPERVISOR={}", environment_->config().cloud_hypervisor), own_path(), "--serve", vm});
    return served_by(0) != 0;
  }
  /// The process that holds the console now, other than `before`; 0 when there is none in time.
  pid_t served_by(pid_t before) {
    pid_t pid = 0;
    const auto serves = [this, &pid, before] {
      const std::string text = tool({"systemctl", "show", "--property=MainPID,SubState", service});
      const std::size_t at = text.find("MainPID=");
      pid = at == std::string::npos ? 0 : static_cast<pid_t>(std::strtol(text.c_str() + at + 8, nullptr, 10));
      return pid != 0 && pid != before && text.find("SubState=running") != std::string::npos;
    };
    return looks_until(serves) ? pid : 0;
  }
  std::uint64_t last_logged(const std::string& vm) {
    GuestServices services = environment_->services();
    std::string text;
    for (const char* ending : {".log.1", ".log"}) {
      const Result<std::string> part = environment_->run(services.files.read(environment_->config().log_directory + "/" + vm + ending));
      if (part.ok()) text += *part;
    }
    const std::size_t at = text.rfind("\nrecord ");
    return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + 8, nullptr, 10);
  }
  bool logs_beyond(std::uint64_t record) {
    return looks_until([this, record] { return last_logged("hvc1") > record; });
  }

 private:
  bool serving_ = false;
};

TEST_P(KilledDaemon, TheConsoleGoesOnInTheNextOne) {
  ASSERT_TRUE(succeeded(start("hvc1", 0, "mcv.interval_ms=20")));
  const std::int64_t pid = manager_->facts(one_).pid;
  {
    Screen screen(*environment_, manager_->console(), one_, 64 * 1024);
    ASSERT_TRUE(screen.shows("record 20"));
  }
  end_daemon();
  ASSERT_TRUE(serve("hvc1"));
  pid_t daemon = served_by(0);
  for (int round = 1; round <= 5; ++round) {
    ASSERT_TRUE(logs_beyond(environment_->records(0).value_or(0))) << "round " << round << ": the daemon reads the console";
    // Stopped first, so that the connection certainly holds bytes that nobody read when it is killed.
    ASSERT_EQ(::kill(daemon, SIGSTOP), 0);
    ASSERT_TRUE(writes_until(0, environment_->records(0).value_or(0) + 20));
    ASSERT_EQ(::kill(daemon, SIGKILL), 0);
    daemon = served_by(daemon);
    ASSERT_NE(daemon, 0) << "round " << round;
  }
  ASSERT_TRUE(logs_beyond(environment_->records(0).value_or(0))) << "after the last kill";
  stop_serving();
  new_daemon();
  EXPECT_EQ(manager_->facts(one_).state, RunState::running);
  EXPECT_EQ(manager_->facts(one_).pid, pid);
  Screen screen(*environment_, manager_->console(), one_, 1024);
  // The guest drops its answer when another line is being printed at that moment.
  const auto is_heard = [&screen] { return succeeded(screen.type("hello\n")) && screen.shows("heard: hello", 2s); };
  EXPECT_TRUE(is_heard() || is_heard() || is_heard() || is_heard() || is_heard() || is_heard()) << "in both directions";
  const std::uint64_t before = screen.last_record();
  EXPECT_TRUE(environment_->drive([&screen, before] { return screen.last_record() > before; }, 60s));
}

INSTANTIATE_TEST_SUITE_P(Driver, KilledDaemon, testing::Values("qemu", "cloud-hypervisor"), driver_name);

boost::asio::awaitable<void> hold(GuestManager& manager, VmName vm) {
  std::vector<VmName> known{vm};
  const Result<std::vector<std::string>> adopted = co_await manager.adopt_all(std::move(known));
  if (!adopted.ok()) fmt::print(stderr, "{}\n", adopted.error().to_text());
  sd_notify(0, "READY=1");
}

int serve(const std::string& vm) {
  const std::unique_ptr<Environment> environment = join_environment();
  GuestManager manager(environment->services(), environment->config());
  bool asked_to_stop = false;
  boost::asio::signal_set signals(environment->loop(), SIGTERM);
  signals.async_wait([&asked_to_stop](const boost::system::error_code&, int) { asked_to_stop = true; });
  environment->run(hold(manager, VmName::trusted(vm)));
  while (!asked_to_stop) environment->drive([&asked_to_stop] { return asked_to_stop; }, std::chrono::hours(1));
  environment->run(manager.close());
  return 0;
}

}  // namespace
}  // namespace mcv::hv

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--serve") return mcv::hv::serve(argv[2]);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
