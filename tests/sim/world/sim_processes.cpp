// SPDX-License-Identifier: Apache-2.0
#include "world/sim_processes.h"

#include <chrono>
#include <deque>
#include <fmt/format.h>

#include "cluster/host/packages.h"

namespace mcv::sim {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

/// What a reader of a growing text waits on.
template <typename T>
struct Queue {
  std::deque<T> items;
  bool ended = false;
  std::optional<Reply<bool>> waiting;
  void wake() {
    if (!waiting) return;
    const auto reply = *std::exchange(waiting, std::nullopt);
    reply(true);
  }
};

template <typename T>
boost::asio::awaitable<void> wait_for_item(Scheduler& scheduler, Owner owner, std::shared_ptr<Queue<T>> queue) {
  while (queue->items.empty() && !queue->ended) {
    std::function<void(Reply<bool>)> begin = [queue](Reply<bool> reply) { queue->waiting = reply; };
    co_await await_reply<bool>(scheduler, owner, std::move(begin));
  }
}

class SimEvents final : public host::LineStream {
 public:
  SimEvents(Scheduler& scheduler, Owner owner, SimMachine& machine) : scheduler_(scheduler), owner_(owner), machine_(machine), queue_(std::make_shared<Queue<std::string>>()) {
    for (std::string& line : machine_.drbd().dump(machine_.node())) queue_->items.push_back(std::move(line));
    auto queue = queue_;
    subscription_ = machine_.drbd().subscribe(machine_.node(), [queue](const std::string& line) {
      queue->items.push_back(line);
      queue->wake();
    });
  }
  ~SimEvents() override { machine_.drbd().unsubscribe(machine_.node(), subscription_); }
  boost::asio::awaitable<Result<std::optional<std::string>>> next() override {
    co_await wait_for_item(scheduler_, owner_, queue_);
    std::optional<std::string> line;
    if (!queue_->items.empty()) {
      line = std::move(queue_->items.front());
      queue_->items.pop_front();
    }
    co_return line;
  }

 private:
  Scheduler& scheduler_;
  Owner owner_;
  SimMachine& machine_;
  std::shared_ptr<Queue<std::string>> queue_;
  std::uint64_t subscription_ = 0;
};

class SimStream final : public host::ByteStream {
 public:
  SimStream(Scheduler& scheduler, Owner owner, SimMachine& machine, SimVmm& vmm, bool monitor)
      : scheduler_(scheduler), owner_(owner), machine_(machine), unit_(vmm.unit), monitor_(monitor), queue_(std::make_shared<Queue<std::string>>()) {
    auto queue = queue_;
    vmm.on_end.push_back([queue]() {
      queue->ended = true;
      queue->wake();
    });
    if (!monitor) {
      vmm.to_console = [queue](const std::string& bytes) {
        queue->items.push_back(bytes);
        queue->wake();
      };
      return;
    }
    // QEMU serves one client; a second one hears nothing until the first has gone.
    if (vmm.to_client && scheduler.alive(vmm.client)) return;
    vmm.client = owner;
    vmm.postponed.clear();  // what an earlier client said and was not read is gone with its connection
    vmm.to_client = [queue](const std::string& bytes) {
      queue->items.push_back(bytes);
      queue->wake();
    };
    client_ = true;
    machine_.monitor_greets(vmm);
  }
  ~SimStream() override { close(); }
  boost::asio::awaitable<Result<std::string>> read_some() override {
    co_await wait_for_item(scheduler_, owner_, queue_);
    if (queue_->items.empty()) co_return std::string();
    std::string bytes = std::move(queue_->items.front());
    queue_->items.pop_front();
    co_return bytes;
  }
  boost::asio::awaitable<Status> write(std::string bytes) override {
    SimVmm* vmm = find();
    if (queue_->ended || vmm == nullptr) co_return Error(ErrorCode::connection_lost, "the VMM hung up");
    if (client_) machine_.monitor_says(*vmm, bytes);
    if (!monitor_) vmm->typed += bytes;
    co_return success();
  }
  void close() override {
    SimVmm* vmm = find();
    if (client_ && vmm != nullptr && vmm->client == owner_) {
      vmm->to_client = nullptr;
      vmm->postponed.clear();
    }
    client_ = false;
    queue_->ended = true;
    queue_->wake();
  }

 private:
  SimVmm* find() {
    const auto found = machine_.vmms.find(unit_);
    return found == machine_.vmms.end() ? nullptr : found->second.get();
  }
  Scheduler& scheduler_;
  Owner owner_;
  SimMachine& machine_;
  std::string unit_;
  bool monitor_;
  bool client_ = false;
  std::shared_ptr<Queue<std::string>> queue_;
};

}  // namespace

boost::asio::awaitable<Result<host::ProcessResult>> SimProcesses::run(host::Command command) {
  using Answer = Reply<Result<host::ProcessResult>>;
  std::function<void(Answer)> begin = [this, command = std::move(command)](Answer reply) {
    Chance& chance = scheduler_.chance();
    const bool fails = chance.percent(faults_.fail_percent);
    const bool is_stuck = machine_.hanging_tools.contains(command.argv.front());
    const bool hangs = is_stuck || (!fails && chance.percent(faults_.hang_percent));
    const bool effect = !is_stuck && ((!fails && !hangs) || chance.one_in(2));
    if (faults_.seen) faults_.seen(command.argv, fails ? (effect ? "fails after" : "fails before") : hangs ? "hangs" : "ok");
    const std::uint64_t boots = machine_.boots();
    const Time at = milliseconds(chance.between(1, faults_.slowest_ms));
    const Time rest = milliseconds(chance.between(1, 10));
    SimMachine& machine = machine_;
    Scheduler& scheduler = scheduler_;
    auto answer = std::make_shared<std::optional<ToolAnswer>>();
    const auto ended = [reply, fails, answer, tool = command.argv.front()]() {
      host::ProcessResult result;
      if (answer->has_value()) {
        result.exit_code = (*answer)->exit_code;
        result.out = (*answer)->out;
        result.err = (*answer)->err;
      }
      if (fails) {
        result.exit_code = 5;
        result.out.clear();
        result.err = "injected";
      }
      if (result.exit_code == 127) reply(host::program_missing(tool, "is not installed"));
      else reply(result);
    };
    // The tool is a process of the machine: it goes on without the daemon.
    const Owner owner = owner_;
    scheduler_.after(0, at, [&machine, &scheduler, owner, rest, boots, effect, hangs, argv = command.argv, answer, ended]() {
      if (!effect) {
        if (!hangs) scheduler.after(owner, rest, ended);
        return;
      }
      machine.drbd().ask_first(machine.node(), argv, [&machine, &scheduler, owner, rest, boots, hangs, argv, answer, ended]() {
        if (machine.powered() && machine.boots() == boots) *answer = machine.run(argv);
        if (!hangs) scheduler.after(owner, rest, ended);
      });
    });
    if (hangs) scheduler.after(owner_, command.deadline, [reply]() { reply(Error(ErrorCode::timed_out, "the tool did not end")); });
  };
  co_return co_await await_reply<Result<host::ProcessResult>>(scheduler_, owner_, std::move(begin));
}

boost::asio::awaitable<Result<std::unique_ptr<host::LineStream>>> SimProcesses::stream(host::Argv argv) {
  if (argv.size() < 2 || argv[0] != "drbdsetup" || argv[1] != "events2") co_return Error(ErrorCode::command_missing, argv.front() + " cannot be streamed here");
  std::unique_ptr<host::LineStream> stream = std::make_unique<SimEvents>(scheduler_, owner_, machine_);
  co_return stream;
}

boost::asio::awaitable<Result<std::unique_ptr<host::ByteStream>>> SimSockets::connect(std::string path) {
  SimVmm* vmm = machine_.vmm_at(path);
  if (vmm == nullptr) co_return Error(ErrorCode::not_found, path + ": no such socket");
  std::unique_ptr<host::ByteStream> stream = std::make_unique<SimStream>(scheduler_, owner_, machine_, *vmm, vmm->monitor_path == path);
  co_return stream;
}

boost::asio::awaitable<Result<host::HttpResponse>> SimSockets::http(std::string path, host::HttpRequest, std::chrono::milliseconds) {
  co_return Error(ErrorCode::not_found, path + ": no such socket");
}

Status SimSockets::send_datagram(const std::string&, const std::string&) { return success(); }

}  // namespace mcv::sim
