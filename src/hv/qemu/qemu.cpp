// SPDX-License-Identifier: Apache-2.0
#include "hv/qemu/qemu.h"

#include <fmt/format.h>
#include <utility>

#include "hv/busy_mark.h"
#include "hv/choose_hypervisor.h"
#include "hv/qemu/command_line.h"

namespace mcv::hv::qemu {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {
constexpr host::Duration answer_bound = 15s;
constexpr host::Duration look_bound = 3s;   // a look, whose failure only means "unknown"
constexpr host::Duration monitor_bound = 60s;
}  // namespace

struct QemuHypervisor::Monitor {
  explicit Monitor(asio::any_io_executor executor) : changed(std::move(executor)) {}
  std::shared_ptr<QmpConnection> connection;
  bool connecting = false;  ///< QEMU serves one client: a second one would wait for its greeting until its bound
  std::int64_t pid = 0;
  std::uint32_t resets = 0;
  bool panicked = false;
  host::Wakeup changed;
};

QemuHypervisor::QemuHypervisor(asio::any_io_executor executor, host::Clock& clock, host::UnixSockets& sockets, VmmUnits units, std::string binary)
    : executor_(std::move(executor)), clock_(clock), sockets_(sockets), units_(std::move(units)), binary_(std::move(binary)) {}

QemuHypervisor::~QemuHypervisor() {
  while (!monitors_.empty()) drop(VmName(monitors_.begin()->first));
}

std::string_view QemuHypervisor::id() const { return qemu_id; }

std::string QemuHypervisor::console_socket(const VmName& vm) const { return socket_paths(units_.directory(vm)).console; }

std::optional<std::string> QemuHypervisor::console_spool(const VmName& vm) const { return socket_paths(units_.directory(vm)).console_spool; }

std::shared_ptr<QemuHypervisor::Monitor> QemuHypervisor::monitor_of(const VmName& vm) {
  auto& monitor = monitors_[vm];
  if (!monitor) monitor = std::make_shared<Monitor>(executor_);
  return monitor;
}

void QemuHypervisor::drop(const VmName& vm) {
  const auto found = monitors_.find(vm);
  if (found == monitors_.end()) return;
  const std::shared_ptr<Monitor> monitor = found->second;
  monitors_.erase(found);
  if (monitor->connection) monitor->connection->close();
  monitor->changed.notify();
}

asio::awaitable<Result<std::shared_ptr<QmpConnection>>> QemuHypervisor::connection(VmName vm, host::Duration bound) {
  const std::shared_ptr<Monitor> monitor = monitor_of(vm);
  const host::Instant deadline = clock_.now() + bound;
  while (monitor->connecting) {
    const host::Instant now = clock_.now();
    if (now >= deadline) co_return Error(ErrorCode::timed_out, "QEMU's monitor said nothing");
    co_await monitor->changed.wait_for(clock_, deadline - now);
  }
  if (monitor->connection && monitor->connection->is_open()) co_return monitor->connection;
  const BusyMark connecting(monitor->connecting, monitor->changed);
  co_return co_await connect(vm, monitor, bound);
}

asio::awaitable<Result<std::shared_ptr<QmpConnection>>> QemuHypervisor::connect(VmName vm, std::shared_ptr<Monitor> monitor, host::Duration bound) {
  const std::weak_ptr<Monitor> weak = monitor;
  QmpConnection::OnEvent on_event = [weak](const QmpEvent& event) {
    const auto self = weak.lock();
    if (!self) return;
    if (event.name == "RESET") ++self->resets;
    if (event.name == "GUEST_PANICKED") self->panicked = true;
    self->changed.notify();
  };
  std::function<void()> on_end = [weak]() {
    if (const auto self = weak.lock()) self->changed.notify();
  };
  std::string path = socket_paths(units_.directory(vm)).monitor;
  MCV_CO_TRY(std::shared_ptr<QmpConnection> opened,
             co_await QmpConnection::open(executor_, clock_, sockets_, std::move(path), bound, std::move(on_event), std::move(on_end)));
  monitor->connection = opened;
  co_return opened;
}

asio::awaitable<Status> QemuHypervisor::create(VmLaunch launch) {
  MCV_CO_CHECK(check_launch(launch));
  MCV_CO_CHECK(co_await units_.prepare(launch.name));
  drop(launch.name);
  UnitSpec spec;
  spec.vm = launch.name;
  spec.user = units_.user();
  spec.argv = command_line(binary_, launch, socket_paths(units_.directory(launch.name)));
  for (const LaunchDisk& disk : launch.disks) {
    if (disk.path.starts_with("/dev/")) spec.devices.push_back(disk.path);
  }
  MCV_CO_CHECK(co_await units_.run(std::move(spec)));
  Status ready = co_await wait_for_monitor(launch.name);
  if (ready.ok()) co_return success();
  Status ended = co_await end(launch.name, false);
  if (!ended.ok()) co_return std::move(ended).error().with_context(ready.error().message());
  // Ended, so this is certain, whatever kept it from starting.
  co_return Error(ErrorCode::vmm_failed, ready.error().message()).with_safe("nothing is left running").with_next("journalctl --unit=" + unit_name(launch.name));
}

// QEMU opens disks, taps and KVM before its monitor answers; what goes wrong there it says on stderr and exits.
asio::awaitable<Status> QemuHypervisor::wait_for_monitor(VmName vm) {
  const host::Instant deadline = clock_.now() + monitor_bound;
  while (true) {
    Result<std::shared_ptr<QmpConnection>> opened = co_await connection(vm, answer_bound);
    if (opened.ok()) break;
    MCV_CO_TRY(const bool is_alive, co_await units_.alive(vm));
    if (!is_alive) {
      const std::string words = co_await units_.last_words(vm);
      co_return Error(ErrorCode::vmm_failed, fmt::format("QEMU of {} ended while starting: {}", vm.str(), words.empty() ? "it said nothing" : words))
          .with_safe("nothing is left running")
          .with_next("journalctl --unit=" + unit_name(vm));
    }
    if (clock_.now() >= deadline) co_return std::move(opened).error().with_context("QEMU of " + vm.str());
    co_await clock_.sleep_for(100ms);
  }
  const std::int64_t pid = co_await units_.main_pid(vm);
  monitor_of(vm)->pid = pid;
  co_return success();
}

asio::awaitable<Status> QemuHypervisor::command(VmName vm, std::string name) {
  MCV_CO_TRY(const bool is_alive, co_await units_.alive(vm));
  if (!is_alive) co_return Error(ErrorCode::guest_stopped, vm.str() + " is not running").with_next("hvctl vm start " + vm.str());
  MCV_CO_TRY(const std::shared_ptr<QmpConnection> qmp, co_await connection(vm, answer_bound));
  Json no_arguments = Json::object();
  Result<Json> done = co_await qmp->execute(std::move(name), std::move(no_arguments), answer_bound);
  if (!done.ok()) co_return std::move(done).error().with_context("QEMU of " + vm.str());
  co_return success();
}

asio::awaitable<Status> QemuHypervisor::boot(VmName vm) { return command(std::move(vm), "cont"); }
asio::awaitable<Status> QemuHypervisor::power_button(VmName vm) { return command(std::move(vm), "system_powerdown"); }
asio::awaitable<Status> QemuHypervisor::reset(VmName vm) { return command(std::move(vm), "system_reset"); }

asio::awaitable<Result<VmmLook>> QemuHypervisor::adopt(VmName vm) { return look(std::move(vm)); }

asio::awaitable<Result<VmmLook>> QemuHypervisor::look(VmName vm) {
  VmmLook seen;
  MCV_CO_TRY(const bool is_alive, co_await units_.alive(vm));
  if (!is_alive) {
    drop(vm);
    seen.phase = VmmPhase::absent;
    co_return seen;
  }
  const std::shared_ptr<Monitor> monitor = monitor_of(vm);
  if (monitor->pid == 0) {
    const std::int64_t pid = co_await units_.main_pid(vm);
    monitor->pid = pid;
  }
  seen.pid = monitor->pid;
  Result<std::shared_ptr<QmpConnection>> qmp = co_await connection(vm, look_bound);
  if (qmp.ok()) {
    Json no_arguments = Json::object();
    Result<Json> status = co_await (*qmp)->execute("query-status", std::move(no_arguments), look_bound);
    if (status.ok() && status->contains("status") && (*status)["status"].is_string())
      seen.phase = phase_of_status((*status)["status"].get<std::string>());
  }
  seen.resets = monitor->resets;
  seen.panicked = monitor->panicked;
  co_return seen;
}

asio::awaitable<void> QemuHypervisor::wait_change(VmName vm, host::Duration at_most) {
  return monitor_of(vm)->changed.wait_for(clock_, at_most);
}

asio::awaitable<std::string> QemuHypervisor::obituary(VmName vm) { return units_.obituary(std::move(vm)); }

asio::awaitable<Status> QemuHypervisor::end(VmName vm, bool politely) {
  Status ended = co_await units_.end(vm, politely);
  if (ended.ok()) drop(vm);
  co_return ended;
}

}  // namespace mcv::hv::qemu
