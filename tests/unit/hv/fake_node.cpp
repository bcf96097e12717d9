// SPDX-License-Identifier: Apache-2.0
#include "fake_node.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "cluster/core/json.h"
#include "cluster/core/sha256.h"
#include "hv/vmm_unit.h"

namespace mcv::hv::fake {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view slice = "/sys/fs/cgroup/mcv.slice";

std::string value_after(const std::string& text, const std::string& key, const std::string& ends) {
  const std::size_t at = text.find(key);
  if (at == std::string::npos) return {};
  const std::size_t start = at + key.size();
  return text.substr(start, text.find_first_of(ends, start) - start);
}

host::ProcessResult exit_with(int code, std::string out, std::string err = {}) {
  host::ProcessResult result;
  result.exit_code = code;
  result.out = std::move(out);
  result.err = std::move(err);
  return result;
}

}  // namespace

// --- clock ---------------------------------------------------------------------------------------------------------------

struct Clock::Sleeper {
  asio::steady_timer timer;
  host::Instant due;
};

asio::awaitable<void> Clock::sleep_for(host::Duration duration) {
  const auto sleeper = std::make_shared<Sleeper>(Sleeper{asio::steady_timer(loop_, asio::steady_timer::time_point::max()), now_ + duration});
  sleepers_.push_back(sleeper);
  const auto token = asio::as_tuple(asio::use_awaitable);
  const auto outcome = co_await sleeper->timer.async_wait(token);
  static_cast<void>(outcome);
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  if (cancellation.cancelled() != asio::cancellation_type::none) throw boost::system::system_error(asio::error::operation_aborted);
}

bool Clock::advance(host::Instant limit) {
  std::erase_if(sleepers_, [](const auto& sleeper) { return sleeper.use_count() == 1; });
  const auto next = std::min_element(sleepers_.begin(), sleepers_.end(), [](const auto& a, const auto& b) { return a->due < b->due; });
  if (next == sleepers_.end() || (*next)->due > limit) {
    now_ = std::max(now_, limit);
    return false;
  }
  now_ = std::max(now_, (*next)->due);
  (*next)->timer.cancel();
  sleepers_.erase(next);
  return true;
}

// --- stream --------------------------------------------------------------------------------------------------------------

asio::awaitable<Result<std::string>> Stream::read_some() {
  const auto state = state_;
  while (state->inbox.empty() && !state->closed) co_await state->changed.wait();
  co_return std::exchange(state->inbox, {});
}

asio::awaitable<Status> Stream::write(std::string bytes) {
  const auto state = state_;
  if (state->closed || !state->on_write) co_return Error(ErrorCode::connection_lost, "closed");
  state->on_write(bytes);
  co_return success();
}

void Stream::finish_writing() {
  if (state_->on_close) std::exchange(state_->on_close, nullptr)(false);
  state_->close();  // the VMM hangs up in turn; what is in the inbox can still be read
}

void Stream::close() {
  if (!std::exchange(open_, false) || state_->kept) return;
  if (!state_->closed && state_->on_close) std::exchange(state_->on_close, nullptr)(!state_->inbox.empty());
  state_->close();
}

// --- VMM -----------------------------------------------------------------------------------------------------------------

Vmm::Vmm(Node& node, std::string vm, host::Argv argv) : node_(node), vm_(std::move(vm)) {
  pid = node_.next_pid++;
  qemu_ = argv.front().find("qemu") != std::string::npos;
  const std::string line = fmt::format("{} ", fmt::join(argv, " "));
  if (!qemu_) return;
  take_options(line);
  disk = value_after(line, "node-name=disk0,filename=", ", ");
  guest_ = Guest::stopped;
  if (!node_.disks.contains(disk)) {
    alive = started = false;
    last_words = fmt::format("qemu-system-x86_64: -blockdev: Could not open '{}': No such file or directory\n", disk);
  }
}

void Vmm::take_options(const std::string& cmdline) {
  guest_name_ = value_after(cmdline + " ", "mcv.vm=", " ");
  ignores_power_ = cmdline.find("mcv.on_power=ignore") != std::string::npos;
}

std::shared_ptr<Stream::State> Vmm::connect(const std::string& name) {
  auto state = std::make_shared<Stream::State>(node_.loop.get_executor());
  const std::weak_ptr<Vmm> weak = weak_from_this();
  if (qemu_ && name == "qmp.sock") {
    if (monitor_ && !monitor_->closed) return state;  // one client at a time: the next one hears nothing
    monitor_ = state;
    qmp_input_.clear();
    state->on_write = [weak](const std::string& bytes) {
      if (const auto self = weak.lock()) self->answer_qmp(bytes);
    };
    state->push("{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, \"package\": \"\"}, \"capabilities\": [\"oob\"]}}\r\n");
    return state;
  }
  if (name != "console.sock" || (!qemu_ && guest_ == Guest::none)) return nullptr;
  if (console_is_dead_) return state;  // accepted by the kernel, read by nobody
  if (console_) console_->close();
  console_ = state;
  state->on_close = [weak](bool unread) {
    const auto self = weak.lock();
    if (self && !self->qemu_ && unread) self->console_is_dead_ = true;
  };
  state->on_write = [weak](const std::string& bytes) {
    if (const auto self = weak.lock()) self->type(bytes);
  };
  if (!unread_.empty()) state->push(std::exchange(unread_, {}));
  return state;
}

void Vmm::event(const std::string& qmp, const std::string& source, const std::string& ch) {
  if (qemu_ && !qmp.empty() && monitor_) monitor_->push(fmt::format("{{\"timestamp\": {{\"seconds\": 1, \"microseconds\": 2}}, \"event\": \"{}\"}}\r\n", qmp));
  if (!qemu_ && !ch.empty())
    node_.files.texts[fmt::format("/run/mcv/vm/{}/events", vm_)] +=
        fmt::format("{{\n  \"timestamp\": {{\n    \"secs\": 0,\n    \"nanos\": 1\n  }},\n  \"source\": \"{}\",\n  \"event\": \"{}\",\n  \"properties\": null\n}}\n\n", source, ch);
}

void Vmm::print(const std::string& text) {
  if (qemu_) node_.files.texts[fmt::format("/run/mcv/vm/{}/console.spool", vm_)] += text;
  if (console_is_dead_) return;
  if (console_ && !console_->closed) console_->push(text);
  else if (!qemu_) unread_ += text;
}

void Vmm::boot() {
  guest_ = Guest::running;
  ++run_;
  node_.guests.spawn(live(shared_from_this(), run_));
}

asio::awaitable<void> Vmm::live(std::shared_ptr<Vmm> self, int run) {
  Node& node = self->node_;
  co_await node.clock.sleep_for(2s);
  if (self->run_ != run || !self->alive) co_return;
  self->print(fmt::format("mcv-guest vm={} boot={} virt=none\r\n", self->guest_name_, run));
  Disk& disk = node.disks[self->disk];
  while (self->alive && self->run_ == run && self->guest_ == Guest::running) {
    disk.writers.insert(self->vm_);
    for (const std::string& writer : disk.writers) {
      const Vmm* other = node.find(writer);
      if (other != self.get() && other != nullptr && other->alive && other->disk == self->disk) disk.mixed = true;
    }
    ++disk.records;
    self->print(fmt::format("record {}\r\n", disk.records));
    co_await node.clock.sleep_for(200ms);
  }
}

void Vmm::type(const std::string& bytes) {
  typed_ += bytes;
  for (std::size_t end = typed_.find('\n'); end != std::string::npos; end = typed_.find('\n')) {
    const std::string line = typed_.substr(0, end);
    typed_.erase(0, end + 1);
    if (guest_ != Guest::running) continue;
    if (line == "poweroff") {
      print("powering off\r\n");
      power_off();
    } else if (line == "crash") {
      reset();  // panic=-1
    } else {
      print(fmt::format("heard: {}\r\n", line));
    }
  }
}

asio::awaitable<void> Vmm::turn_off_soon(std::shared_ptr<Vmm> self, int run) {
  co_await self->node_.clock.sleep_for(700ms);
  if (self->alive && self->run_ == run) self->power_off();
}

void Vmm::press() {
  event("POWERDOWN", "", "");
  if (guest_ != Guest::running) return;
  print(ignores_power_ ? "power button ignored\r\n" : "powering off\r\n");
  if (!ignores_power_) node_.guests.spawn(turn_off_soon(shared_from_this(), run_));
}

void Vmm::power_off() {
  guest_ = Guest::off;
  ++run_;
  event("SHUTDOWN", "vm", "shutdown");
}

void Vmm::reset() {
  event("RESET", "vm", "rebooting");
  if (!qemu_ && console_) console_->close();  // it binds again
  console_is_dead_ = false;
  boot();
  event("", "vm", "rebooted");
}

void Vmm::terminate(bool by_kill) {
  if (!alive || node_.ignores_kill) return;
  if (!by_kill) {
    event("SHUTDOWN", "vm", "shutdown");
    event("", "vm", "deleted");
    event("", "vmm", "shutdown");
  }
  alive = false;
  signal = by_kill ? 9 : 0;
  ++run_;
  if (console_) console_->close();
  if (monitor_) monitor_->close();
}

void Vmm::answer_qmp(const std::string& bytes) {
  qmp_input_ += bytes;
  for (std::size_t end = qmp_input_.find('\n'); end != std::string::npos; end = qmp_input_.find('\n')) {
    const Result<Json> request = parse_json(qmp_input_.substr(0, end));
    qmp_input_.erase(0, end + 1);
    if (!request.ok()) continue;
    const std::string name = (*request)["execute"].get<std::string>();
    Json value = Json::object();
    if (name == "query-status") ++questions;
    if (name == "query-status") value["status"] = guest_ == Guest::running ? "running" : guest_ == Guest::off ? "shutdown" : "prelaunch";
    if (name == "cont" && guest_ == Guest::stopped) boot();
    if (name == "system_powerdown") press();
    if (name == "system_reset") reset();
    Json reply = Json::object();
    reply["return"] = value;
    reply["id"] = (*request)["id"];
    monitor_->push(reply.dump() + "\r\n");
  }
}

host::HttpResponse Vmm::http(const host::HttpRequest& request) {
  const auto answer = [](int status, std::string body) {
    host::HttpResponse response;
    response.status = status;
    response.body = std::move(body);
    return response;
  };
  const std::string name = request.target.substr(std::string("/api/v1/").size());
  if (name == "vmm.ping") return answer(200, "{\"build_version\":\"v53.0\",\"version\":\"53.0.0\",\"pid\":1,\"features\":[]}");
  if (name == "vm.create") {
    const Result<Json> config = parse_json(request.body);
    if (!config.ok() || guest_ != Guest::none) return answer(500, "[\"VM is already created\"]");
    disk = config->at("disks")[0].at("path").get<std::string>();
    take_options(config->at("payload").at("cmdline").get<std::string>());
    guest_ = Guest::stopped;
    return answer(204, "");
  }
  if (guest_ == Guest::none) return answer(404, "[\"VM is not created\"]");
  if (name == "vm.info") ++questions;
  if (name == "vm.info") return answer(200, fmt::format("{{\"state\":\"{}\"}}", guest_ == Guest::running ? "Running" : "Created"));
  if (name == "vm.boot") {
    event("", "vm", "booting");
    if (!node_.disks.contains(disk)) return answer(500, fmt::format("[\"VM failed to boot\",\"Cannot open disk path: {}: No such file or directory\"]", disk));
    boot();
    event("", "vm", "booted");
    return answer(204, "");
  }
  if (guest_ != Guest::running) return answer(500, "[\"VM is not running\"]");
  if (name == "vm.power-button") press();
  if (name == "vm.reboot") reset();
  return answer(204, "");
}

// --- files ---------------------------------------------------------------------------------------------------------------

asio::awaitable<Result<std::string>> Files::read(std::string path) {
  if (path.starts_with(slice)) {
    if (node_.cgroups_are_unreadable || node_.vanishing_cgroups-- > 0) co_return Error(ErrorCode::io_error, path);
    const std::string rest = path.substr(slice.size() + 1);
    const Vmm* vmm = node_.find(vm_of_unit(rest.substr(0, rest.find('/'))));
    if (vmm == nullptr || !vmm->alive) co_return Error(ErrorCode::not_found, path);
    co_return std::string("populated 1\nfrozen 0\n");
  }
  const auto found = texts.find(path);
  if (found == texts.end()) co_return Error(ErrorCode::not_found, path);
  if (found->second.size() > (std::size_t{16} << 20)) co_return Error(ErrorCode::too_large, path);
  co_return found->second;
}

asio::awaitable<Status> Files::write_durably(std::string path, std::string text, unsigned) {
  texts[path] = std::move(text);
  co_return success();
}

asio::awaitable<Status> Files::write_in_place(std::string path, std::string text) {
  if (path.starts_with(slice) && path.ends_with("/cgroup.kill")) {
    const std::string rest = path.substr(slice.size() + 1);
    Vmm* vmm = node_.find(vm_of_unit(rest.substr(0, rest.find('/'))));
    if (vmm == nullptr || !vmm->alive) co_return Error(ErrorCode::not_found, path);
    vmm->terminate(true);
    co_return success();
  }
  texts[path] = std::move(text);
  co_return success();
}

asio::awaitable<Status> Files::remove(std::string path) {
  texts.erase(path);
  co_return success();
}

asio::awaitable<Result<bool>> Files::exists(std::string path) { co_return texts.contains(path); }

asio::awaitable<Result<std::vector<std::string>>> Files::list(std::string directory) {
  std::vector<std::string> names;
  if (directory == slice) {
    for (const auto& [vm, vmm] : node_.vmms) {
      if (vmm->alive) names.push_back(unit_name(VmName::trusted(vm)));
    }
  }
  co_return names;
}

asio::awaitable<Status> Files::make_directory(std::string, unsigned) { co_return success(); }

asio::awaitable<Result<std::string>> Files::sha256(std::string path) { co_return sha256_hex(texts[path]); }

// --- processes -----------------------------------------------------------------------------------------------------------

asio::awaitable<Result<host::ProcessResult>> Processes::run(host::Command command) {
  ran.push_back(command.argv);
  co_await node_.clock.sleep_for(5ms);
  const std::string& tool = command.argv.front();
  if (node_.systemd_is_stuck && tool == "systemctl" && command.argv[1] == "kill") {
    const host::Duration deadline = command.deadline;
    co_await node_.clock.sleep_for(deadline);
    co_return Error(ErrorCode::timed_out, "systemctl did not end");
  }
  if (node_.systemd_is_silent && tool == "systemctl" && command.argv[1] == "show") co_return Error(ErrorCode::timed_out, "systemctl did not end");
  if (tool == "systemctl") co_return systemctl(command.argv);
  if (tool == "systemd-run") co_return systemd_run(command.argv);
  if (tool == "stat") co_return exit_with(0, fmt::format("{}\n", node_.files.texts[command.argv.back()].size()));
  if (tool == "tail") {
    const std::string& text = node_.files.texts[command.argv.back()];
    const std::size_t bytes = std::stoul(value_after(command.argv[1] + " ", "--bytes=", " "));
    co_return exit_with(0, text.substr(text.size() - std::min(bytes, text.size())));
  }
  if (tool == "fallocate") {
    const std::size_t offset = std::stoul(value_after(command.argv[2] + " ", "--offset=", " "));
    const std::size_t length = std::stoul(value_after(command.argv[3] + " ", "--length=", " "));
    node_.files.texts[command.argv.back()].replace(offset, length, length, '\0');
    co_return exit_with(0, "");
  }
  if (tool == "truncate") node_.files.texts[command.argv.back()].clear();
  if (tool == "rm") {
    const std::string prefix = command.argv.back() + "/";
    std::erase_if(node_.files.texts, [&prefix](const auto& entry) { return entry.first.starts_with(prefix); });
  }
  if (tool == "journalctl") {
    const std::string invocation = value_after(command.argv.back() + " ", "INVOCATION_ID=", " ");
    const Vmm* vmm = node_.find(invocation);
    co_return exit_with(0, vmm == nullptr ? std::string() : vmm->last_words);
  }
  if (command.argv.back() == "--version" && node_.is_too_busy) co_return Error(ErrorCode::timed_out, "did not end");
  if (command.argv.back() == "--version") co_return exit_with(0, "cloud-hypervisor v53.0.0\nMigration Protocol Versions: 0\n");
  co_return exit_with(0, "");
}

asio::awaitable<Result<std::unique_ptr<host::LineStream>>> Processes::stream(host::Argv) { co_return Error(ErrorCode::command_missing, "no streams here"); }

host::ProcessResult Processes::systemctl(const host::Argv& argv) {
  const std::string vm = vm_of_unit(argv.back());
  Vmm* vmm = node_.find(vm);
  if (argv[1] == "show") {
    if (vmm == nullptr) return exit_with(0, "LoadState=not-found\nActiveState=inactive\nSubState=dead\nResult=success\nMainPID=0\n");
    const bool failed = !vmm->alive;
    return exit_with(0, fmt::format("LoadState=loaded\nActiveState={}\nSubState={}\nResult={}\nMainPID={}\nExecMainCode={}\nExecMainStatus={}\nInvocationID={}\n",
                                    failed ? "failed" : "active", failed ? "failed" : "running", failed ? "signal" : "success", failed ? 0 : vmm->pid,
                                    failed ? 2 : 0, vmm->signal, vm));
  }
  if (vmm == nullptr) return exit_with(1, "", "Unit not loaded.");
  if (argv[1] == "kill") {
    vmm->terminate(std::find(argv.begin(), argv.end(), "--signal=SIGKILL") != argv.end());
    if (!vmm->alive && vmm->signal == 0) node_.vmms.erase(vm);  // a clean exit leaves no unit
  }
  if (argv[1] == "reset-failed") node_.vmms.erase(vm);
  return exit_with(0, "");
}

host::ProcessResult Processes::systemd_run(const host::Argv& argv) {
  std::string vm;
  for (const std::string& word : argv) {
    if (word.starts_with("--unit=")) vm = vm_of_unit(word.substr(7));
  }
  if (node_.find(vm) != nullptr) return exit_with(1, "", "Unit already exists.");
  host::Argv own(std::find(argv.begin(), argv.end(), "--") + 1, argv.end());
  node_.vmms[vm] = std::make_shared<Vmm>(node_, vm, std::move(own));
  if (node_.systemd_run_fails_late) return exit_with(1, "", "Connection timed out");
  return exit_with(0, "");
}

// --- sockets -------------------------------------------------------------------------------------------------------------

Vmm* Sockets::vmm_of(const std::string& path, std::string& name) const {
  constexpr std::string_view directory = "/run/mcv/vm/";
  if (!path.starts_with(directory)) return nullptr;
  const std::string rest = path.substr(directory.size());
  name = rest.substr(rest.find('/') + 1);
  Vmm* vmm = node_.find(rest.substr(0, rest.find('/')));
  return vmm != nullptr && vmm->alive ? vmm : nullptr;
}

asio::awaitable<Result<std::unique_ptr<host::ByteStream>>> Sockets::connect(std::string path) {
  std::string name;
  Vmm* vmm = vmm_of(path, name);
  if (vmm == nullptr || node_.monitors_are_silent) co_return Error(ErrorCode::not_found, path);
  const auto state = vmm->connect(name);
  if (!state) co_return Error(ErrorCode::not_found, path);
  std::unique_ptr<host::ByteStream> stream = std::make_unique<Stream>(state);
  co_return stream;
}

asio::awaitable<Result<host::HttpResponse>> Sockets::http(std::string path, host::HttpRequest request, std::chrono::milliseconds) {
  std::string name;
  Vmm* vmm = vmm_of(path, name);
  if (vmm == nullptr || vmm->is_qemu() || node_.monitors_are_silent || name != "api.sock") co_return Error(ErrorCode::not_found, path);
  co_return vmm->http(request);
}

void Sockets::keep(const std::string& name, host::ByteStream& stream) {
  kept[name] = static_cast<Stream&>(stream).state();
  kept[name]->kept = true;
}

void Sockets::release(const std::string& name) {
  const auto found = kept.find(name);
  if (found == kept.end()) return;
  found->second->kept = false;
  kept.erase(found);
}

std::unique_ptr<host::ByteStream> Sockets::take_kept(const std::string& name) {
  const auto found = kept.find(name);
  if (found == kept.end()) return nullptr;
  const std::shared_ptr<Stream::State> state = found->second;
  kept.erase(found);
  if (state->closed) return nullptr;  // systemd drops what was hung up
  return std::make_unique<Stream>(state);
}

Status Sockets::send_datagram(const std::string&, const std::string&) { return success(); }

// --- node ----------------------------------------------------------------------------------------------------------------

Node::Node() : clock(loop.get_executor()), files(*this), processes(*this), sockets(*this), guests(loop.get_executor()) {
  disks["/dev/vg0/d0"];
  disks["/dev/vg0/d1"];
  files.texts["/usr/bin/qemu-system-x86_64"] = files.texts["/usr/bin/cloud-hypervisor"] = "";
}

Node::~Node() {
  ignores_kill = false;
  for (const auto& [vm, vmm] : vmms) vmm->terminate(true);
  guests.cancel();
  drive([this] { return guests.running() == 0; }, 10s);
}

Vmm* Node::find(const std::string& vm) const {
  const auto found = vmms.find(vm);
  return found == vmms.end() ? nullptr : found->second.get();
}

bool Node::drive(const std::function<bool()>& done, host::Duration at_most) {
  const host::Instant limit = clock.now() + at_most;
  while (true) {
    loop.restart();
    while (true) {
      if (done()) return true;
      if (loop.poll_one() == 0) break;
    }
    if (!clock.advance(limit)) {
      loop.restart();
      loop.poll();
      return done();
    }
  }
}

}  // namespace mcv::hv::fake
