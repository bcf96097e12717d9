// SPDX-License-Identifier: Apache-2.0
#include "hv/cloud_hypervisor/cloud_hypervisor.h"

#include <charconv>
#include <fmt/format.h>
#include <utility>

#include "hv/choose_hypervisor.h"

namespace mcv::hv::ch {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr host::Duration api_bound = 60s;
constexpr host::Duration event_poll = 150ms;
constexpr std::uint64_t event_limit = 1 << 20;
constexpr std::uint64_t event_tail = 64 * 1024;
// One request is served at a time: a boot that opens slow disks holds up everything behind it.
constexpr std::chrono::milliseconds quick = 3s;   // a look, whose failure only means "unknown"
constexpr std::chrono::milliseconds ordinary = 15s;
constexpr std::chrono::milliseconds slow = 60s;

}  // namespace

CloudHypervisor::CloudHypervisor(host::Clock& clock, host::Files& files, host::Processes& processes, host::UnixSockets& sockets, VmmUnits units,
                                 std::string binary)
    : clock_(clock), files_(files), processes_(processes), sockets_(sockets), units_(std::move(units)), binary_(std::move(binary)) {}

std::string_view CloudHypervisor::id() const { return cloud_hypervisor_id; }

std::string CloudHypervisor::console_socket(const VmName& vm) const { return socket_paths(units_.directory(vm)).console; }

// It keeps up to 1 MiB that nobody has read yet and gives it to the next client.
std::optional<std::string> CloudHypervisor::console_spool(const VmName&) const { return std::nullopt; }

asio::awaitable<Result<host::HttpResponse>> CloudHypervisor::call(VmName vm, std::string method, std::string endpoint, std::string body,
                                                                  std::chrono::milliseconds deadline) {
  host::HttpRequest request;
  request.method = std::move(method);
  request.target = "/api/v1/" + endpoint;
  request.body = std::move(body);
  std::string path = socket_paths(units_.directory(vm)).api;
  return sockets_.http(std::move(path), std::move(request), deadline);
}

asio::awaitable<Status> CloudHypervisor::put(VmName vm, std::string endpoint, std::string body, std::chrono::milliseconds deadline) {
  MCV_CO_TRY(const bool is_alive, co_await units_.alive(vm));
  if (!is_alive) co_return Error(ErrorCode::guest_stopped, vm.str() + " is not running").with_next("hvctl vm start " + vm.str());
  Result<host::HttpResponse> response = co_await call(vm, "PUT", endpoint, std::move(body), deadline);
  if (!response.ok()) co_return std::move(response).error().with_context(fmt::format("cloud-hypervisor of {}: {}", vm.str(), endpoint));
  if (response->ok()) co_return success();
  co_return Error(ErrorCode::vmm_failed, fmt::format("cloud-hypervisor of {} refused {}: {}", vm.str(), endpoint, error_text(response->status, response->body)))
      .with_next("journalctl --unit=" + unit_name(vm));
}

asio::awaitable<Status> CloudHypervisor::create(VmLaunch launch) {
  MCV_CO_CHECK(check_launch(launch));
  if (launch.boot.kernel.empty() && launch.boot.firmware.empty())
    co_return Error(ErrorCode::bad_request, "cloud-hypervisor boots only from a kernel or firmware").with_safe("nothing was started");
  const VmName vm = launch.name;
  MCV_CO_CHECK(co_await units_.prepare(vm));
  const SocketPaths paths = socket_paths(units_.directory(vm));
  UnitSpec spec;
  spec.vm = vm;
  spec.user = units_.user();
  spec.argv = command_line(binary_, paths);
  for (const LaunchDisk& disk : launch.disks) {
    if (disk.path.starts_with("/dev/")) spec.devices.push_back(disk.path);
  }
  MCV_CO_CHECK(co_await units_.run(std::move(spec)));
  Status ready = co_await wait_for_api(vm);
  if (ready.ok()) {
    std::string config = canonical(vm_config(launch, paths));
    ready = co_await put(vm, "vm.create", std::move(config), slow);
  }
  if (ready.ok()) co_return success();
  Status ended = co_await end(vm, false);
  if (!ended.ok()) co_return std::move(ended).error().with_context(ready.error().message());
  // Ended, so this is certain, whatever kept it from starting.
  co_return Error(ErrorCode::vmm_failed, ready.error().message()).with_safe("nothing is left running").with_next("journalctl --unit=" + unit_name(vm));
}

asio::awaitable<Status> CloudHypervisor::wait_for_api(VmName vm) {
  const host::Instant deadline = clock_.now() + api_bound;
  while (true) {
    Result<host::HttpResponse> pong = co_await call(vm, "GET", "vmm.ping", "", quick);
    if (pong.ok() && pong->ok()) break;
    MCV_CO_TRY(const bool is_alive, co_await units_.alive(vm));
    if (!is_alive) {
      const std::string words = co_await units_.last_words(vm);
      co_return Error(ErrorCode::vmm_failed, fmt::format("cloud-hypervisor of {} ended while starting: {}", vm.str(), words.empty() ? "it said nothing" : words))
          .with_safe("nothing is left running")
          .with_next("journalctl --unit=" + unit_name(vm));
    }
    if (clock_.now() >= deadline) co_return Error(ErrorCode::timed_out, fmt::format("cloud-hypervisor of {} does not answer", vm.str()));
    co_await clock_.sleep_for(50ms);
  }
  const std::int64_t pid = co_await units_.main_pid(vm);
  seen_[vm] = Seen{};
  seen_[vm].pid = pid;
  co_return success();
}

asio::awaitable<Status> CloudHypervisor::boot(VmName vm) {
  MCV_CO_TRY(const VmmLook seen, co_await look(vm));
  if (seen.phase == VmmPhase::running) co_return success();
  if (seen.phase == VmmPhase::paused) co_return co_await put(vm, "vm.resume", "", ordinary);
  co_return co_await put(vm, "vm.boot", "", slow);
}

asio::awaitable<Status> CloudHypervisor::power_button(VmName vm) { return put(std::move(vm), "vm.power-button", "", ordinary); }
asio::awaitable<Status> CloudHypervisor::reset(VmName vm) { return put(std::move(vm), "vm.reboot", "", slow); }

asio::awaitable<Result<EventFacts>> CloudHypervisor::events(VmName vm) {
  if (seen_[vm].is_long) co_return co_await newest_events(vm);
  std::string path = socket_paths(units_.directory(vm)).events;
  Result<std::string> text = co_await files_.read(std::move(path));
  if (!text.ok() && text.error().code() == ErrorCode::not_found) co_return EventFacts();
  const bool is_long = text.ok() ? text->size() > event_limit : text.error().code() == ErrorCode::too_large;
  if (is_long) {
    seen_[vm].is_long = true;
    co_return co_await newest_events(vm);
  }
  if (!text.ok()) co_return std::move(text).error();
  seen_[vm].event_bytes = text->size();
  co_return summarize(parse_events(*text));
}

// A guest can make events without end (it resets a device, and again), on a tmpfs that the node needs. What it may hide by
// that is its own history: the last word is always its power-off, after which it makes no more.
asio::awaitable<Result<EventFacts>> CloudHypervisor::newest_events(VmName vm) {
  co_await free_old_events(vm);
  host::Command command;
  command.argv = {"tail", fmt::format("--bytes={}", event_tail), socket_paths(units_.directory(vm)).events};
  MCV_CO_TRY(const std::string tail, co_await host::run_ok(processes_, std::move(command)));
  EventFacts facts;
  facts.booted = true;  // only a running guest makes that many
  co_return summarize(parse_events(whole_events(tail)), facts);
}

asio::awaitable<void> CloudHypervisor::free_old_events(VmName vm) {
  const std::string path = socket_paths(units_.directory(vm)).events;
  host::Command command;
  command.argv = {"stat", "--format=%s", path};
  Result<std::string> text = co_await host::run_ok(processes_, std::move(command));
  if (!text.ok()) co_return;
  std::uint64_t size = 0;
  std::from_chars(text->data(), text->data() + text->size(), size);
  const std::uint64_t freed = seen_[vm].freed;
  if (size < freed + event_limit) co_return;
  constexpr std::uint64_t page = 4096;
  const std::uint64_t end = (size - event_tail) / page * page;
  host::Command punch;  // the VMM writes on at its own position, so the file keeps its size
  punch.argv = {"fallocate", "--punch-hole", fmt::format("--offset={}", freed), fmt::format("--length={}", end - freed), path};
  Result<host::ProcessResult> done = co_await processes_.run(std::move(punch));
  if (done.ok() && done->ok()) seen_[vm].freed = end;
}

asio::awaitable<std::optional<std::string>> CloudHypervisor::info_state(VmName vm) {
  Result<host::HttpResponse> info = co_await call(vm, "GET", "vm.info", "", quick);
  if (info.ok() && info->status == 404) co_return std::string();
  if (!info.ok() || !info->ok()) co_return std::nullopt;
  Result<std::string> text = state_of_info(info->body);
  if (!text.ok()) co_return std::nullopt;
  co_return std::move(*text);
}

asio::awaitable<Result<VmmLook>> CloudHypervisor::adopt(VmName vm) { return look(std::move(vm)); }

asio::awaitable<Result<VmmLook>> CloudHypervisor::look(VmName vm) {
  VmmLook seen;
  MCV_CO_TRY(const bool is_alive, co_await units_.alive(vm));
  if (!is_alive) {
    seen_.erase(vm);
    seen.phase = VmmPhase::absent;
    co_return seen;
  }
  if (seen_[vm].pid == 0) {
    const std::int64_t pid = co_await units_.main_pid(vm);
    seen_[vm].pid = pid;
  }
  seen.pid = seen_[vm].pid;
  std::optional<std::string> state = co_await info_state(vm);
  MCV_CO_TRY(EventFacts facts, co_await events(vm));
  if (facts.powered_off) {
    // A VMM that was told to end says "vm shutdown" as well. It does so inside its control loop and never answers a
    // question asked after that; one whose guest turned itself off does.
    state = co_await info_state(vm);
    MCV_CO_TRY(const EventFacts later, co_await events(vm));
    facts = later;
  }
  seen.phase = phase_of(state, facts);
  seen.resets = facts.resets;
  seen.panicked = facts.panicked;
  co_return seen;
}

asio::awaitable<void> CloudHypervisor::wait_change(VmName vm, host::Duration at_most) {
  const host::Instant deadline = clock_.now() + at_most;
  const std::string path = socket_paths(units_.directory(vm)).events;
  const std::size_t before = seen_.contains(vm) ? seen_[vm].event_bytes : 0;
  const bool is_long = seen_.contains(vm) && seen_[vm].is_long;
  while (clock_.now() < deadline) {
    const host::Duration left = deadline - clock_.now();
    const host::Duration nap = left < event_poll ? left : event_poll;
    co_await clock_.sleep_for(nap);
    if (!is_long) {
      Result<std::string> text = co_await files_.read(path);
      if (!text.ok() || text->size() != before) co_return;
    }
    Result<bool> is_alive = co_await units_.alive(vm);
    if (!is_alive.ok() || !*is_alive) co_return;
  }
}

asio::awaitable<std::string> CloudHypervisor::obituary(VmName vm) { return units_.obituary(std::move(vm)); }

asio::awaitable<Status> CloudHypervisor::end(VmName vm, bool politely) {
  Status ended = co_await units_.end(vm, politely);
  if (ended.ok()) seen_.erase(vm);
  co_return ended;
}

}  // namespace mcv::hv::ch
