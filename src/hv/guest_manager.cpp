// SPDX-License-Identifier: Apache-2.0
#include "hv/guest_manager.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "cluster/host/wakeup.h"
#include "hv/busy_mark.h"
#include "hv/cloud_hypervisor/cloud_hypervisor.h"
#include "hv/qemu/qemu.h"
#include "hv/vmm_unit.h"

namespace mcv::hv {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr int oldest_cloud_hypervisor = 53;
constexpr host::Duration clear_away_bound = 120s;  // longer than `finish` takes, also when systemd answers at its bounds only
constexpr host::Duration shortest_look_interval = 100ms;
constexpr const char* start_cut_off = "its start was cut off";
constexpr const char* slice_cgroup = "/sys/fs/cgroup/mcv.slice";

bool has_vmm(VmmPhase phase) { return phase != VmmPhase::absent; }
bool is_over(VmmPhase phase) { return phase == VmmPhase::absent || phase == VmmPhase::powered_off || phase == VmmPhase::failed; }

std::string_view describe(ExitReason reason) {
  switch (reason) {
    case ExitReason::none: return "never ran";
    case ExitReason::guest_power_off: return "the guest turned itself off";
    case ExitReason::stopped_by_operator: return "the guest was shut down";
    case ExitReason::killed_by_operator: return "the guest's power was cut";
    case ExitReason::crashed: return "the VMM ended unexpectedly";
  }
  return "ended";
}

ConsoleSource console_source(const Hypervisor& driver, const VmName& vm) {
  ConsoleSource source;
  source.socket = driver.console_socket(vm);
  source.spool = driver.console_spool(vm);
  return source;
}

}  // namespace

struct GuestManager::Guest {
  Guest(VmName vm, asio::any_io_executor executor) : name(std::move(vm)), changed(std::move(executor)) { facts.state = RunState::stopped; }
  const VmName name;
  VmFacts facts;
  RunRecord record;
  Hypervisor* driver = nullptr;
  bool watched = false;  ///< a VMM exists and `watch` follows it; only `watch` declares it ended
  bool adopting = false;  ///< one at a time: two would watch it twice
  bool ending = false;   ///< the guest is over, its VMM is being cleared away
  bool panicked = false;
  host::Wakeup changed;
};

GuestManager::GuestManager(GuestServices host, GuestConfig config) : GuestManager(std::move(host), std::move(config), std::vector<Hypervisor*>()) {
  const VmmUnits units(host_.processes, host_.files, host_.clock, config_.run_directory, config_.user);
  owned_.push_back(std::make_unique<qemu::QemuHypervisor>(host_.executor, host_.clock, host_.sockets, units, config_.qemu));
  owned_.push_back(std::make_unique<ch::CloudHypervisor>(host_.clock, host_.files, host_.processes, host_.sockets, units, config_.cloud_hypervisor));
  for (const auto& owned : owned_) drivers_.push_back(owned.get());
}

GuestManager::GuestManager(GuestServices host, GuestConfig config, std::vector<Hypervisor*> drivers)
    : host_(std::move(host)),
      config_(std::move(config)),
      drivers_(std::move(drivers)),
      console_(host_.executor, host_.clock, host_.files, host_.processes, host_.sockets, config_.log_directory, config_.run_directory + "/runs", config_.console),
      tasks_(host_.executor) {}

GuestManager::~GuestManager() = default;

std::shared_ptr<GuestManager::Guest> GuestManager::guest_of(const VmName& vm) {
  auto& guest = guests_[vm];
  if (!guest) guest = std::make_shared<Guest>(vm, host_.executor);
  return guest;
}

Hypervisor* GuestManager::driver(const std::string& id) const {
  for (Hypervisor* candidate : drivers_) {
    if (candidate->id() == id) return candidate;
  }
  return nullptr;
}

VmFacts GuestManager::facts(const VmName& vm) const {
  const auto found = guests_.find(vm);
  if (found != guests_.end()) return found->second->facts;
  VmFacts stopped;
  stopped.state = RunState::stopped;
  return stopped;
}

std::map<std::string, VmFacts> GuestManager::facts() const {
  std::map<std::string, VmFacts> all;
  for (const auto& [vm, guest] : guests_) all.emplace(vm.str(), guest->facts);
  return all;
}

void GuestManager::set_state(Guest& guest, RunState state) {
  if (guest.facts.state == state) return;
  guest.facts.state = state;
  guest.changed.notify();
  if (on_change_) on_change_(guest.name);
}

asio::awaitable<Status> GuestManager::save(std::shared_ptr<Guest> guest) {
  const std::string directory = config_.run_directory + "/runs";
  MCV_CO_CHECK(co_await host_.files.make_directory(directory, 0755));
  std::string path = fmt::format("{}/{}.json", directory, guest->name.str());
  std::string text = guest->record.to_text();
  co_return co_await host_.files.write_durably(std::move(path), std::move(text), 0600);
}

asio::awaitable<void> GuestManager::refresh_installed() {
  std::vector<std::string> found;
  Result<bool> qemu_there = co_await host_.files.exists(config_.qemu);
  if (qemu_there.ok() && *qemu_there) found.emplace_back(qemu_id);
  Result<bool> ch_there = co_await host_.files.exists(config_.cloud_hypervisor);
  if (!ch_there.ok() || !*ch_there) {
    ch_version_ = 0;
  } else if (ch_version_ < oldest_cloud_hypervisor) {
    // Asked again while it is missing or too old: it may have been installed since, or the node was too busy to answer.
    host::Command command;
    command.argv = {config_.cloud_hypervisor, "--version"};
    Result<host::ProcessResult> version = co_await host_.processes.run(std::move(command));
    ch_version_ = version.ok() ? ch::parse_version(version->out).value_or(0) : 0;
  }
  if (ch_version_ >= oldest_cloud_hypervisor) found.emplace_back(cloud_hypervisor_id);
  installed_ = std::move(found);
}

asio::awaitable<Result<std::vector<std::string>>> GuestManager::adopt_all(std::vector<VmName> known) {
  // All at once: a silent VMM takes its bound, and the daemon is to be up within one of them, not within their sum.
  struct Waiting {
    explicit Waiting(asio::any_io_executor executor) : changed(std::move(executor)) {}
    std::size_t left = 0;
    host::Wakeup changed;
  };
  const auto waiting = std::make_shared<Waiting>(host_.executor);
  waiting->left = known.size();
  for (const VmName& vm : known) {
    // Given back after the first attempt, or with the task.
    std::shared_ptr<void> ticket(nullptr, [waiting](void*) {
      --waiting->left;
      waiting->changed.notify();
    });
    tasks_.spawn(adopt_until_done(vm, std::move(ticket)));
  }
  while (waiting->left != 0) co_await waiting->changed.wait();
  co_await refresh_installed();
  std::vector<std::string> strangers;
  MCV_CO_TRY(const std::vector<std::string> units, co_await host_.files.list(slice_cgroup));
  for (const std::string& unit : units) {
    const std::string vm = vm_of_unit(unit);
    const bool is_known = std::any_of(known.begin(), known.end(), [&vm](const VmName& name) { return name.str() == vm; });
    if (!vm.empty() && !is_known) strangers.push_back(unit);
  }
  co_return strangers;
}

// One VM that cannot be judged must not keep the others from their daemon, and is not given up either.
asio::awaitable<void> GuestManager::adopt_until_done(VmName vm, std::shared_ptr<void> ticket) {
  while (true) {
    Result<bool> adopted = co_await adopt(vm);
    if (!adopted.ok()) set_state(*guest_of(vm), RunState::unknown);
    ticket.reset();
    if (adopted.ok()) co_return;
    const host::Duration pause = config_.look_interval;
    co_await host_.clock.sleep_for(pause);
    if (facts(vm).state != RunState::unknown) co_return;  // an operation found out, or forgot it
  }
}

/// True when a VMM of this VM exists and is watched from now on.
asio::awaitable<Result<bool>> GuestManager::adopt(VmName vm) {
  const std::shared_ptr<Guest> guest = guest_of(vm);
  while (guest->adopting) co_await guest->changed.wait();
  if (guest->watched) co_return true;
  const BusyMark adopting(guest->adopting, guest->changed);
  Result<bool> adopted = co_await adopt_now(guest);
  if (!adopted.ok()) co_return std::move(adopted).error().with_context("looking for the VMM of " + vm.str());
  co_return adopted;
}

asio::awaitable<Result<bool>> GuestManager::adopt_now(std::shared_ptr<Guest> guest) {
  const VmName vm = guest->name;
  std::string path = fmt::format("{}/runs/{}.json", config_.run_directory, vm.str());
  Result<std::string> text = co_await host_.files.read(std::move(path));
  if (!text.ok() && text.error().code() != ErrorCode::not_found) co_return std::move(text).error();
  RunRecord record;
  if (text.ok()) {
    Result<RunRecord> parsed = RunRecord::parse(*text);
    if (parsed.ok()) record = *parsed;
  }
  std::vector<Hypervisor*> candidates;
  if (Hypervisor* own = driver(record.hypervisor)) candidates.push_back(own);
  else candidates = drivers_;  // the record is gone: the monitor socket that answers tells which VMM it is
  VmmLook seen;
  seen.phase = VmmPhase::absent;
  Hypervisor* owner = nullptr;
  for (Hypervisor* candidate : candidates) {
    MCV_CO_TRY(const VmmLook look, co_await candidate->adopt(vm));
    seen = look;
    owner = candidate;
    if (look.phase != VmmPhase::unknown) break;
  }
  guest->record = record;
  guest->driver = owner;
  guest->facts.last_exit = record.last_exit;
  if (owner == nullptr) co_return false;
  if (record.hypervisor.empty() && has_vmm(seen.phase)) {
    guest->record.hypervisor = owner->id();
    guest->record.booted = seen.phase != VmmPhase::created;
  }
  if (!has_vmm(seen.phase)) {
    if (record.booted) {
      const ExitReason reason = classify_exit(record, seen.phase);
      std::string why = co_await describe_end(guest, reason, seen.phase);
      why += ", while mcvd was not running";
      MCV_CO_CHECK(co_await finish(guest, reason, std::move(why)));
    }
    set_state(*guest, RunState::stopped);
    co_return false;
  }
  if (seen.phase == VmmPhase::created) {
    // mcvd died between making the VMM and letting the guest run: nothing is lost by beginning anew.
    MCV_CO_CHECK(co_await finish(guest, ExitReason::none, start_cut_off));
    co_return false;
  }
  // The stop or kill that was under way died with its daemon; who resumes it asks again.
  const bool over = is_over(seen.phase);
  if (!over) guest->record.wish = Wish::run;
  guest->facts.hypervisor = owner->id();
  guest->facts.started_with = record.started_with;
  guest->facts.pid = seen.pid;
  ConsoleSource source = console_source(*owner, vm);
  Status opened = co_await console_.open(vm, std::move(source), false);
  static_cast<void>(opened);  // it goes on trying; a guest without a console is still a guest
  MCV_CO_CHECK(co_await save(guest));
  guest->watched = true;
  set_state(*guest, seen.phase == VmmPhase::paused ? RunState::paused : over ? RunState::stopping : seen.phase == VmmPhase::unknown ? RunState::unknown : RunState::running);
  tasks_.spawn(watch(guest));
  co_return true;
}

asio::awaitable<Status> GuestManager::start(VmLaunch launch, HypervisorKind wished) {
  MCV_CO_CHECK(check_launch(launch));
  const VmName vm = launch.name;
  const std::shared_ptr<Guest> guest = guest_of(vm);
  MCV_CO_TRY(const bool there, co_await adopt(vm));
  if (there) {
    if (guest->facts.state == RunState::running || guest->facts.state == RunState::paused) co_return success();
    // Each of these passes: one that does not answer mostly waits for a held disk, one that is stopping is over soon or goes on. So
    // whoever has to start it waits as well.
    const bool is_silent = guest->facts.state == RunState::unknown;
    const std::string what = is_silent ? "that does not answer" : fmt::format("that is {}", mcv::to_text(guest->facts.state));
    co_return Error(is_silent ? ErrorCode::timed_out : ErrorCode::guest_still_running, fmt::format("{} has a VMM {}", vm.str(), what))
        .with_safe("it was left alone")
        .with_next("hvctl vm info " + vm.str());
  }
  if (!choose_hypervisor(wished, launch.boot, installed_).ok()) co_await refresh_installed();
  MCV_CO_TRY(const std::string id, choose_hypervisor(wished, launch.boot, installed_));
  Hypervisor* const chosen = driver(id);
  if (chosen == nullptr) co_return Error(ErrorCode::hypervisor_missing, id + " has no driver in this build");
  const ExitReason previous_exit = guest->facts.last_exit;
  guest->driver = chosen;
  guest->record = RunRecord{id, false, Wish::run, previous_exit};
  guest->record.started_with = StartedWith{launch.cpus, launch.memory, launch.boot};
  MCV_CO_CHECK(co_await save(guest));
  guest->facts.hypervisor = id;
  guest->facts.started_with = guest->record.started_with;
  set_state(*guest, RunState::starting);
  Status created = co_await chosen->create(std::move(launch));
  if (!created.ok()) {
    guest->facts.hypervisor.clear();
    guest->facts.started_with.reset();
    const bool may_be_there = created.error().code() == ErrorCode::timed_out || created.error().code() == ErrorCode::guest_running;
    set_state(*guest, may_be_there ? RunState::unknown : RunState::stopped);
    co_return std::move(created).error().with_context("start " + vm.str());
  }
  ConsoleSource source = console_source(*chosen, vm);
  console_.note(vm, fmt::format("{} starts in {}", vm.str(), id));
  Status opened = co_await console_.open(vm, std::move(source), true);
  static_cast<void>(opened);
  guest->record.booted = true;
  guest->record.last_exit = ExitReason::none;
  Status booted = co_await save(guest);
  if (booted.ok()) booted = co_await chosen->boot(vm);
  if (!booted.ok()) {
    guest->record.last_exit = previous_exit;
    std::string why = "its start failed: " + booted.error().message();
    Status cleared = co_await finish(guest, previous_exit, std::move(why));
    if (!cleared.ok()) {
      set_state(*guest, RunState::unknown);
      co_return std::move(cleared).error().with_context(booted.error().message());
    }
    co_return std::move(booted).error().with_safe("nothing is left running").with_context("start " + vm.str());
  }
  guest->facts.last_exit = ExitReason::none;
  Result<VmmLook> seen = co_await chosen->look(vm);
  if (seen.ok()) guest->facts.pid = seen->pid;
  guest->watched = true;
  guest->panicked = false;
  set_state(*guest, RunState::running);
  tasks_.spawn(watch(guest));
  co_return success();
}

asio::awaitable<void> GuestManager::watch(std::shared_ptr<Guest> guest) {
  host::Instant next_look = host_.clock.now();
  bool has_run = guest->facts.state != RunState::unknown;
  while (true) {
    const host::Duration interval = config_.look_interval;
    co_await guest->driver->wait_change(guest->name, interval);
    // A guest that resets itself all the time reports all the time; it must not keep the loop busy.
    const host::Instant now = host_.clock.now();
    if (now < next_look) co_await host_.clock.sleep_for(next_look - now);
    next_look = host_.clock.now() + shortest_look_interval;
    Result<VmmLook> seen = co_await guest->driver->look(guest->name);
    if (!seen.ok()) {
      if (guest->record.wish == Wish::run) set_state(*guest, RunState::unknown);
      continue;
    }
    // Adopted before it could say that its start was cut off: adopt_now would have ended it.
    const bool cut_off = seen->phase == VmmPhase::created && !has_run;
    if (cut_off || is_over(seen->phase)) {
      const ExitReason reason = cut_off ? ExitReason::none : classify_exit(guest->record, seen->phase);
      std::string why = start_cut_off;
      if (!cut_off) why = co_await describe_end(guest, reason, seen->phase);
      Status cleared = co_await finish(guest, reason, std::move(why));
      if (cleared.ok()) co_return;
      continue;  // a process that does not die: `finish` took its whole bound, so this does not spin
    }
    has_run = has_run || seen->phase == VmmPhase::running || seen->phase == VmmPhase::paused;
    if (seen->pid != 0) guest->facts.pid = seen->pid;
    if (seen->panicked && !guest->panicked) console_.note(guest->name, "the guest reported a kernel panic");
    guest->panicked = seen->panicked;
    if (guest->record.wish != Wish::run) continue;  // stopping, until it is over or given up
    if (seen->phase == VmmPhase::running) set_state(*guest, RunState::running);
    if (seen->phase == VmmPhase::paused) set_state(*guest, RunState::paused);
    if (seen->phase == VmmPhase::unknown) set_state(*guest, RunState::unknown);
  }
}

asio::awaitable<std::string> GuestManager::describe_end(std::shared_ptr<Guest> guest, ExitReason reason, VmmPhase phase) {
  std::string text(describe(reason));
  if (reason != ExitReason::crashed || phase != VmmPhase::absent) co_return text;
  const std::string how = co_await guest->driver->obituary(guest->name);
  if (!how.empty()) text += fmt::format(" ({})", how);
  co_return text;
}

// The guest is over: its VMM is ended and its disks are closed when this returns.
asio::awaitable<Status> GuestManager::finish(std::shared_ptr<Guest> guest, ExitReason reason, std::string why) {
  guest->ending = true;
  set_state(*guest, RunState::stopping);
  Status ended = co_await guest->driver->end(guest->name, true);
  if (!ended.ok()) {
    guest->ending = false;
    set_state(*guest, RunState::unknown);
    co_return std::move(ended).error();
  }
  ConsoleSource source = console_source(*guest->driver, guest->name);
  co_await console_.recover(guest->name, std::move(source));
  std::string last_note = fmt::format("{}: {}", guest->name.str(), why);
  co_await console_.close(guest->name, std::move(last_note));
  guest->record = RunRecord{guest->record.hypervisor, false, Wish::run, reason};
  Status saved = co_await save(guest);
  guest->ending = false;
  guest->watched = false;
  guest->facts.last_exit = reason;
  guest->facts.pid = 0;
  guest->facts.hypervisor.clear();
  guest->facts.started_with.reset();
  set_state(*guest, RunState::stopped);
  guest->changed.notify();
  co_return saved;
}

asio::awaitable<Status> GuestManager::wait_stopped(VmName vm, host::Duration at_most) {
  const std::shared_ptr<Guest> guest = guest_of(vm);
  const host::Instant deadline = host_.clock.now() + at_most;
  while (guest->watched) {
    const host::Instant now = host_.clock.now();
    if (now >= deadline) co_return Error(ErrorCode::timed_out, fmt::format("{} is still {}", vm.str(), mcv::to_text(guest->facts.state)));
    co_await guest->changed.wait_for(host_.clock, deadline - now);
  }
  co_return success();
}

asio::awaitable<Status> GuestManager::stop(VmName vm, host::Duration at_most) {
  const std::shared_ptr<Guest> guest = guest_of(vm);
  MCV_CO_TRY(const bool there, co_await adopt(vm));
  if (!there) co_return success();
  const host::Instant begun = host_.clock.now();
  const host::Instant deadline = begun + at_most;
  guest->record.wish = Wish::stop;
  Status saved = co_await save(guest);
  if (!saved.ok()) {
    guest->record.wish = Wish::run;
    co_return saved;
  }
  set_state(*guest, RunState::stopping);
  host::Instant next_press = begun;
  while (guest->watched) {
    const host::Instant now = host_.clock.now();
    if (now >= deadline && !guest->ending) break;
    if (now >= deadline + clear_away_bound) break;
    if (now >= next_press && now < deadline) {
      // Resent: a guest that is still booting loses the press. A refusal shows itself at the deadline at the latest.
      Status pressed = co_await guest->driver->power_button(vm);
      static_cast<void>(pressed);
      next_press = host_.clock.now() + config_.button_interval;
      continue;
    }
    const host::Instant until = now < deadline ? std::min(next_press, deadline) : deadline + clear_away_bound;
    co_await guest->changed.wait_for(host_.clock, until - now);
  }
  if (!guest->watched) co_return success();
  guest->record.wish = Wish::run;
  Status given_up = co_await save(guest);
  static_cast<void>(given_up);
  if (!guest->watched) co_return success();
  set_state(*guest, RunState::running);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(at_most).count();
  const std::string& name = vm.str();
  co_return Error(ErrorCode::guest_still_running,
                  fmt::format("{} did not turn off within {} s: it ignores the power button, or is still shutting down", name, seconds))
      .with_safe("the guest runs on; nothing was cut")
      .with_next(fmt::format("look: hvctl vm console {0}; wait longer: hvctl vm stop {0} --timeout {1}; cut its power: hvctl vm kill {0}", name,
                             std::max<long>(2 * static_cast<long>(seconds), 60)));
}

asio::awaitable<Status> GuestManager::kill(VmName vm) {
  const std::shared_ptr<Guest> guest = guest_of(vm);
  MCV_CO_TRY(const bool there, co_await adopt(vm));
  if (!there) co_return success();
  guest->record.wish = Wish::kill;
  // Not written? The power is cut all the same: the worst is a wrong reason after a restart of mcvd right now.
  Status saved = co_await save(guest);
  static_cast<void>(saved);
  set_state(*guest, RunState::stopping);
  MCV_CO_CHECK(co_await guest->driver->end(vm, false));
  co_return co_await wait_stopped(vm, clear_away_bound);
}

asio::awaitable<Status> GuestManager::reset(VmName vm) {
  const std::shared_ptr<Guest> guest = guest_of(vm);
  MCV_CO_TRY(const bool there, co_await adopt(vm));
  if (!there) co_return Error(ErrorCode::guest_stopped, vm.str() + " is not running").with_next("hvctl vm start " + vm.str());
  console_.note(vm, "reset");
  Status done = co_await guest->driver->reset(vm);
  if (!done.ok()) co_return std::move(done).error().with_context("reset " + vm.str());
  co_return success();
}

asio::awaitable<Status> GuestManager::forget(VmName vm) {
  const std::shared_ptr<Guest> guest = guest_of(vm);
  if (guest->watched) co_return Error(ErrorCode::guest_running, vm.str() + " is running").with_next("hvctl vm stop " + vm.str());
  guests_.erase(vm);
  // A service that failed keeps its name until systemd is told to forget it. Whichever driver ran it: the service is one.
  if (!drivers_.empty()) {
    MCV_CO_CHECK(co_await drivers_.front()->end(vm, false));
  }
  co_await console_.forget(vm);
  // The sockets of its last VMM. A VM of that name that comes later finds an empty directory anyway; this one is nobody's.
  host::Command wipe;
  wipe.argv = {"rm", "-rf", "--", fmt::format("{}/vm/{}", config_.run_directory, vm.str())};
  MCV_CO_TRY([[maybe_unused]] const std::string wiped, co_await host::run_ok(host_.processes, std::move(wipe)));
  std::string path = fmt::format("{}/runs/{}.json", config_.run_directory, vm.str());
  co_return co_await host_.files.remove(std::move(path));
}

asio::awaitable<void> GuestManager::close() {
  tasks_.cancel();
  co_await tasks_.join();
  co_await console_.close_all();
}

}  // namespace mcv::hv
