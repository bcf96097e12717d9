// SPDX-License-Identifier: Apache-2.0
#include "hv/vmm_unit.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

#include "hv/vmm_words.h"

namespace mcv::hv {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr std::string_view prefix = "mcv-vm-";
constexpr std::string_view suffix = ".service";
constexpr host::Duration polite_bound = 10s;
constexpr std::chrono::milliseconds signal_bound = 5s;  // for systemd to pass a signal on
constexpr std::chrono::milliseconds show_bound = 10s;
constexpr host::Duration systemd_kill_bound = 3s;
constexpr host::Duration kill_bound = 30s;  // a VMM with much memory takes seconds to be taken apart
constexpr host::Duration tidy_bound = 3s;
constexpr host::Duration start_bound = 60s;
constexpr host::Duration poll = 50ms;

// systemd expands $NAME in a service's arguments; a kernel command line must arrive as it is.
std::string without_expansion(const std::string& word) {
  std::string text;
  for (const char c : word) {
    if (c == '$') text += '$';
    text += c;
  }
  return text;
}

std::string cgroup_file(const VmName& vm, std::string_view name) { return fmt::format("/sys/fs/cgroup/mcv.slice/{}/{}", unit_name(vm), name); }

template <typename T>
T number(std::string_view text) {
  T value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

bool is_populated(std::string_view events) {
  constexpr std::string_view key = "populated ";
  const std::size_t at = events.find(key);
  return at != std::string_view::npos && events.substr(at + key.size(), 1) == "1";
}

std::string unit_name(const VmName& vm) { return fmt::format("{}{}{}", prefix, vm.str(), suffix); }

std::string vm_of_unit(std::string_view unit) {
  if (!unit.starts_with(prefix) || !unit.ends_with(suffix) || unit.size() <= prefix.size() + suffix.size()) return {};
  return std::string(unit.substr(prefix.size(), unit.size() - prefix.size() - suffix.size()));
}

host::Argv systemd_run_argv(const UnitSpec& spec) {
  host::Argv argv{"systemd-run", "--quiet", "--no-ask-password", "--service-type=exec"};
  argv.push_back("--unit=" + unit_name(spec.vm));
  argv.push_back("--description=mcv guest " + spec.vm.str());
  argv.push_back("--slice=mcv.slice");
  const auto property = [&argv](std::string text) { argv.push_back("--property=" + std::move(text)); };
  property("User=" + spec.user);
  // disk: DRBD devices and LVs belong to it. Which of them is decided by DeviceAllow.
  property("SupplementaryGroups=kvm disk");
  property("DevicePolicy=closed");
  property("DeviceAllow=/dev/kvm rw");
  property("DeviceAllow=/dev/net/tun rw");
  for (const std::string& device : spec.devices) property("DeviceAllow=" + device + " rw");
  property("NoNewPrivileges=yes");
  property("CapabilityBoundingSet=");
  property("UMask=0077");
  property("LimitCORE=0");  // a core file would hold the guest's memory
  property("KillMode=mixed");
  property("TimeoutStopSec=15");
  property("OOMScoreAdjust=-200");
  // At shutdown of the node mcvd goes first: it stops or moves its guests before systemd touches a VMM.
  property("Before=mcvd.service");
  property("After=network.target");
  argv.push_back("--");
  std::transform(spec.argv.begin(), spec.argv.end(), std::back_inserter(argv), without_expansion);
  return argv;
}

host::Argv show_argv(const VmName& vm) {
  return {"systemctl", "show", "--property=LoadState,ActiveState,SubState,Result,MainPID,ExecMainCode,ExecMainStatus,InvocationID",
          "--", unit_name(vm)};
}

Result<UnitFacts> parse_unit_facts(std::string_view text) {
  UnitFacts facts;
  bool load_state = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, equals);
    const std::string_view value = line.substr(equals + 1);
    if (key == "LoadState") {
      load_state = true;
      facts.loaded = value == "loaded";
    }
    if (key == "ActiveState") facts.active_state = value;
    if (key == "SubState") facts.sub_state = value;
    if (key == "Result") facts.result = value;
    if (key == "MainPID") facts.main_pid = number<std::int64_t>(value);
    if (key == "ExecMainCode") facts.exec_main_code = number<int>(value);
    if (key == "ExecMainStatus") facts.exec_main_status = number<int>(value);
    if (key == "InvocationID") facts.invocation = value;
  }
  if (!load_state) return Error(ErrorCode::bad_output, "systemctl show gave no LoadState");
  return facts;
}

std::string how_it_ended(const UnitFacts& facts) {
  constexpr int exited = 1;  // CLD_EXITED
  if (facts.loaded && facts.active_state != "failed" && facts.active_state != "inactive") return {};
  if (facts.result == "oom-kill") return "the kernel killed it, out of memory";
  if (!facts.loaded || facts.exec_main_code == 0) return "exit code 0";  // systemd forgets a service that ended well
  if (facts.exec_main_code == exited) return fmt::format("exit code {}", facts.exec_main_status);
  return fmt::format("killed by signal {}", facts.exec_main_status);
}

VmmUnits::VmmUnits(host::Processes& processes, host::Files& files, host::Clock& clock, std::string run_directory, std::string user)
    : processes_(processes), files_(files), clock_(clock), run_directory_(std::move(run_directory)), user_(std::move(user)) {}

asio::awaitable<Status> VmmUnits::prepare(VmName vm) {
  MCV_CO_TRY(const bool is_alive, co_await alive(vm));
  if (is_alive) {
    co_return Error(ErrorCode::guest_running, fmt::format("{} has a VMM already ({})", vm.str(), unit_name(vm)))
        .with_safe("nothing was started")
        .with_next(fmt::format("hvctl vm list; systemctl status {}", unit_name(vm)));
  }
  MCV_CO_CHECK(co_await clear(vm, start_bound));
  const std::string path = directory(vm);
  std::string parent = run_directory_ + "/vm";
  MCV_CO_CHECK(co_await files_.make_directory(std::move(parent), 0755));
  host::Command wipe;
  wipe.argv = {"rm", "-rf", "--", path};
  MCV_CO_TRY([[maybe_unused]] const std::string wiped, co_await host::run_ok(processes_, std::move(wipe)));
  host::Command make;
  make.argv = {"install", "-d", "-m", "0700", "-o", user_, "-g", user_, path};
  MCV_CO_TRY([[maybe_unused]] const std::string made, co_await host::run_ok(processes_, std::move(make)));
  co_return success();
}

asio::awaitable<Status> VmmUnits::run(UnitSpec spec) {
  host::Command command;
  command.argv = systemd_run_argv(spec);
  MCV_CO_TRY(const host::ProcessResult done, co_await processes_.run(std::move(command)));
  if (done.ok()) co_return success();
  std::string words = co_await last_words(spec.vm);
  if (words.empty()) words = done.err;
  // systemd-run may fail after systemd began the service: what did start is ended again, or it is not said to be gone.
  MCV_CO_CHECK(co_await end(spec.vm, false));
  co_return Error(ErrorCode::vmm_failed, fmt::format("the VMM of {} did not start: {}", spec.vm.str(), words))
      .with_safe("nothing is left running")
      .with_next("journalctl --unit=" + unit_name(spec.vm));
}

asio::awaitable<Result<UnitFacts>> VmmUnits::show(VmName vm) {
  host::Command command;
  command.argv = show_argv(vm);
  command.deadline = show_bound;
  MCV_CO_TRY(const std::string text, co_await host::run_ok(processes_, std::move(command)));
  co_return parse_unit_facts(text);
}

asio::awaitable<std::int64_t> VmmUnits::main_pid(VmName vm) {
  Result<UnitFacts> facts = co_await show(vm);
  co_return facts.ok() ? facts->main_pid : 0;
}

asio::awaitable<Result<bool>> VmmUnits::alive(VmName vm) {
  constexpr int attempts = 3;
  for (int attempt = 1;; ++attempt) {
    Result<std::string> events = co_await files_.read(cgroup_file(vm, "cgroup.events"));
    if (events.ok()) co_return is_populated(*events);
    if (events.error().code() == ErrorCode::not_found) co_return false;
    // A cgroup that is removed between open and read gives ENODEV once.
    if (attempt == attempts) co_return std::move(events).error().with_context("is the VMM of " + vm.str() + " alive");
    co_await clock_.sleep_for(poll);
  }
}

asio::awaitable<Result<bool>> VmmUnits::dies_within(VmName vm, host::Duration bound) {
  const host::Instant deadline = clock_.now() + bound;
  while (true) {
    MCV_CO_TRY(const bool is_alive, co_await alive(vm));
    if (!is_alive) co_return true;
    if (clock_.now() >= deadline) co_return false;
    co_await clock_.sleep_for(poll);
  }
}

// Signals, not `systemctl stop`: a stop job of the guest waits for mcvd's own stop job (Before=mcvd.service), and mcvd ends
// guests while it is being stopped.
asio::awaitable<void> VmmUnits::signal(VmName vm, std::string signal, std::string whom) {
  host::Command command;
  command.argv = {"systemctl", "kill", "--kill-whom=" + whom, "--signal=" + signal, "--", unit_name(vm)};
  command.deadline = signal_bound;
  // A failure means mostly that the service is gone; whether it is, the caller reads from the cgroup.
  Result<host::ProcessResult> done = co_await processes_.run(std::move(command));
  static_cast<void>(done);
}

asio::awaitable<Result<bool>> VmmUnits::kill(VmName vm) {
  co_await signal(vm, "SIGKILL", "all");
  MCV_CO_TRY(const bool died, co_await dies_within(vm, systemd_kill_bound));
  if (died) co_return true;
  // systemd may be stuck or slow, and a guest must be killed all the same: the kernel does it without it.
  std::string switch_file = cgroup_file(vm, "cgroup.kill");
  std::string on = "1";
  Status asked = co_await files_.write_in_place(std::move(switch_file), std::move(on));
  static_cast<void>(asked);
  co_return co_await dies_within(vm, kill_bound);
}

asio::awaitable<Status> VmmUnits::end(VmName vm, bool politely) {
  MCV_CO_TRY(bool is_alive, co_await alive(vm));
  if (is_alive && politely) {
    co_await signal(vm, "SIGTERM", "main");
    MCV_CO_TRY(const bool died, co_await dies_within(vm, polite_bound));
    is_alive = !died;
  }
  if (is_alive) {
    MCV_CO_TRY(const bool died, co_await kill(vm));
    if (!died) {
      co_return Error(ErrorCode::timed_out, fmt::format("the VMM of {} does not die: the kernel holds it, probably in I/O to a frozen disk", vm.str()))
          .with_safe("its disks stay open here and may still be written; do not start it anywhere else")
          .with_next(fmt::format("hvctl drbd list; systemctl status {}", unit_name(vm)));
    }
  }
  // No process is left, which is what callers wait for. The service's name is freed again before the next start.
  Status cleared = co_await clear(vm, tidy_bound);
  static_cast<void>(cleared);
  co_return success();
}

// Waits until systemd has seen the end, then forgets a failed service so that its name is free.
asio::awaitable<Status> VmmUnits::clear(VmName vm, host::Duration bound) {
  const host::Instant deadline = clock_.now() + bound;
  while (true) {
    MCV_CO_TRY(const UnitFacts facts, co_await show(vm));
    if (!facts.loaded || facts.active_state == "inactive") co_return success();
    if (facts.active_state == "failed") {
      host::Command command;
      command.argv = {"systemctl", "reset-failed", "--", unit_name(vm)};
      MCV_CO_TRY(const host::ProcessResult done, co_await processes_.run(std::move(command)));
      if (done.ok()) co_return success();
    } else {
      MCV_CO_TRY(const bool is_alive, co_await alive(vm));
      if (is_alive) co_return Error(ErrorCode::guest_running, "a VMM of " + vm.str() + " is alive");
    }
    if (clock_.now() >= deadline) co_return Error(ErrorCode::timed_out, unit_name(vm) + " does not become inactive");
    co_await clock_.sleep_for(poll);
  }
}

asio::awaitable<std::string> VmmUnits::obituary(VmName vm) {
  const host::Instant deadline = clock_.now() + tidy_bound;
  std::string how;
  while (true) {
    Result<UnitFacts> facts = co_await show(vm);
    if (!facts.ok()) co_return std::string();
    how = how_it_ended(*facts);
    // The cgroup is empty before systemd has taken note of it.
    if (!how.empty() || clock_.now() >= deadline) break;
    co_await clock_.sleep_for(poll);
  }
  const std::string words = co_await last_words(vm, 3s);  // its disks wait to be closed
  if (how.empty() || words.empty()) co_return how + words;
  co_return fmt::format("{}; it said: {}", how, words);
}

asio::awaitable<std::string> VmmUnits::last_words(VmName vm, std::chrono::milliseconds patience) {
  Result<UnitFacts> facts = co_await show(vm);
  if (!facts.ok() || facts->invocation.empty()) co_return std::string();
  host::Command sync;  // journald may not have read yet what the VMM wrote just before its end
  sync.argv = {"journalctl", "--sync"};
  sync.deadline = patience;
  Result<host::ProcessResult> synced = co_await processes_.run(std::move(sync));
  static_cast<void>(synced);
  host::Command command;
  command.argv = {"journalctl", "--no-pager", "--quiet", "--output=cat", "--lines=6", "_SYSTEMD_INVOCATION_ID=" + facts->invocation};
  command.deadline = patience;
  Result<host::ProcessResult> done = co_await processes_.run(std::move(command));
  if (!done.ok() || !done->ok()) co_return std::string();
  co_return vmm_words(done->out);
}

}  // namespace mcv::hv
