// SPDX-License-Identifier: Apache-2.0
// A guest's console watched from both nodes while the guest prints, is moved and killed, and while things fail. A viewer sees
// the lines in their order and each once, and is never left hanging: it sees the next one, or its stream ends.
#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <memory>
#include <vector>

#include "world/node_world.h"

namespace mcv::sim {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

/// What came to one viewer.
struct Watched {
  std::size_t node = 0;
  Owner life = 0;
  bool refused = false;
  bool opened = false;
  bool ended = false;
  std::string text;
};

boost::asio::awaitable<void> watch(Api& api, std::shared_ptr<Watched> watched) {
  api::ApiCall call;
  call.method = "GET";
  call.caller.uid = 0;
  call.upgrade = "mcv-console";
  std::string target = "/v1/vms/vm1/console?replay=0";
  api::ApiReply reply = co_await api.answer(std::move(call), std::move(target));
  auto* upgraded = std::get_if<api::UpgradeReply>(&reply);
  watched->refused = upgraded == nullptr;
  if (upgraded == nullptr) co_return;
  watched->opened = true;
  const std::unique_ptr<host::ByteStream> stream = std::move(upgraded->stream);
  std::string key = "k";
  const Status typed = co_await stream->write(std::move(key));
  static_cast<void>(typed);
  while (true) {
    const Result<std::string> bytes = co_await stream->read_some();
    if (!bytes.ok() || bytes->empty()) break;
    watched->text += *bytes;
  }
  watched->ended = true;
}

class ConsoleSchedule : public NodeWorld {
 public:
  using NodeWorld::NodeWorld;
  ScheduleReport run(std::uint64_t seed);

 private:
  bool set_up();
  SimVmm* vmm();
  void print_line();
  void open(std::size_t node);
  /// The guest prints all the time while this passes.
  void pass_printing(Time time);
  void check_order(const Watched& watched);
  void nobody_hangs();
  bool is_gone(const Watched& watched) { return watched.refused || watched.ended || !scheduler_.alive(watched.life); }

  std::uint64_t line_ = 0;
  std::vector<std::shared_ptr<Watched>> viewers_;
};

bool ConsoleSchedule::set_up() {
  for (const std::size_t node : both) start_daemon(node);
  for (const std::size_t node : both) {
    if (!command(node, "POST", "/v1/node/init", {{"all", true}})) return false;
    if (!command(node, "PUT", "/v1/node/addresses", {{"cluster_address", node_address(node)}})) return false;
  }
  const Answer invited = call(1, "POST", "/v1/cluster/connect-string", Json::object(), false);
  const std::string text = invited.ok() ? invited.body.value("connect_string", "") : "";
  const Json boot = {{"kernel", "/boot/vmlinuz"}, {"initramfs", "/boot/initrd"}, {"cmdline", "console=ttyS0"}};
  const Json disk = {{"size", std::uint64_t{64} << 20}};
  const Json create = {{"name", "vm1"}, {"cpus", 1}, {"memory", std::uint64_t{128} << 20}, {"disks", Json::array({disk})}, {"storage_type", "drbd"}, {"networks", {"lan"}}, {"boot", boot}, {"hypervisor", "qemu"}};
  return command(0, "POST", "/v1/cluster/add-node", {{"connect_string", text}, {"check_only", false}}) &&
         command(0, "POST", "/v1/storage", {{"name", "fast"}, {"vg", "vg0"}, {"thin", true}}) && command(0, "POST", "/v1/drbd/enable", Json::object()) &&
         command(0, "POST", "/v1/networks", {{"name", "lan"}, {"bridge", "br0"}}) && command(0, "POST", "/v1/vms", create) && command(0, "POST", "/v1/vms/vm1/start", Json::object());
}

SimVmm* ConsoleSchedule::vmm() {
  for (const std::size_t node : both) {
    for (const auto& [unit, found] : machines_[node]->vmms) {
      if (found->vm == "vm1" && found->executes()) return found.get();
    }
  }
  return nullptr;
}

void ConsoleSchedule::print_line() {
  SimVmm* guest = vmm();
  if (guest != nullptr && guest->to_console) guest->to_console(fmt::format("line {};\n", ++line_));
}

void ConsoleSchedule::open(std::size_t node) {
  if (!up(node) || lives_[node]->failed || !lives_[node]->started->has_value()) return;
  auto watched = std::make_shared<Watched>();
  watched->node = node;
  watched->life = lives_[node]->parts.owner;
  viewers_.push_back(watched);
  lives_[node]->clients.spawn(watch(*lives_[node]->api, watched));
}

void ConsoleSchedule::pass_printing(Time time) {
  const Time end = scheduler_.now() + time;
  while (scheduler_.now() < end && well()) {
    print_line();
    pass(milliseconds(chance().between(20, 400)));
  }
}

/// The numbers of the whole lines it saw go up, one after the other: nothing twice, nothing out of place, no line torn.
void ConsoleSchedule::check_order(const Watched& watched) {
  std::uint64_t last = 0;
  std::size_t at = 0;
  while ((at = watched.text.find("line ", at)) != std::string::npos) {
    at += 5;
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(watched.text.data() + at, watched.text.data() + watched.text.size(), number);
    if (parsed.ptr == watched.text.data() + watched.text.size()) return;  // its stream ended within a line
    if (parsed.ec != std::errc() || *parsed.ptr != ';') return violation(fmt::format("a viewer on {} got a torn line after line {}", node_name(watched.node), last));
    if (number <= last) return violation(fmt::format("a viewer on {} got line {} after line {}", node_name(watched.node), number, last));
    last = number;
  }
}

/// In a healthy world with a guest that prints: the next line comes, or the end did.
void ConsoleSchedule::nobody_hangs() {
  std::vector<std::size_t> had;
  for (const auto& watched : viewers_) had.push_back(watched->text.size());
  pass_printing(40s);
  for (std::size_t i = 0; i < viewers_.size() && well(); ++i) {
    const Watched& watched = *viewers_[i];
    if (!is_gone(watched) && watched.text.size() == had[i]) {
      violation(fmt::format("a viewer on {} neither sees what the guest prints nor the end of its stream", node_name(watched.node)));
    }
    check_order(watched);
    ++report_.covered[fmt::format("viewer {} × {}", watched.refused ? "refused" : is_gone(watched) ? "ended" : "goes on", fault_)];
  }
  std::erase_if(viewers_, [this](const std::shared_ptr<Watched>& watched) { return is_gone(*watched); });
}

ScheduleReport ConsoleSchedule::run(std::uint64_t seed) {
  if (!set_up()) violation("two healthy nodes cannot be set up");
  for (std::uint64_t round = chance().between(3, 6); round > 0 && well(); --round) {
    for (const std::size_t node : both) {
      for (std::uint64_t more = chance().below(3); more > 0; --more) open(node);
    }
    pass_printing(milliseconds(chance().between(500, 3000)));
    const std::size_t entry = chance().below(2);
    switch (chance().below(5)) {
      case 0:
        // A guest here never shuts itself down: it is stopped first.
        command(entry, "POST", "/v1/vms/vm1/stop", {{"timeout_seconds", 60}});
        command(entry, "POST", "/v1/vms/vm1/migrate", {{"node", node_name(chance().below(2))}, {"start_after_migration", true}}, true);
        break;
      case 1: command(entry, "POST", "/v1/vms/vm1/kill", Json::object(), true); break;
      default: maybe_fault(); break;
    }
    pass_printing(milliseconds(chance().between(500, 15'000)));
    heal();
    wait_idle();
    if (well() && vmm() == nullptr) insist(entry, "POST", "/v1/vms/vm1/start", Json::object(), "vm start");
    for (const std::size_t node : both) open(node);
    if (well()) nobody_hangs();
  }
  return finish("console", seed);
}

}  // namespace

ScheduleReport console_schedule(std::uint64_t seed, bool print_trace) { return ConsoleSchedule(seed, print_trace).run(seed); }

}  // namespace mcv::sim
