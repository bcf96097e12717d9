// SPDX-License-Identifier: Apache-2.0
#include "two_nodes.h"

#include <cstdlib>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "cluster/core/problem.h"
#include "world/api_contract.h"

namespace mcv::test {

using namespace std::chrono_literals;

namespace {

boost::asio::awaitable<Result<Committed>> commit(Node& node, Change change) { co_return co_await node.shared.propose(std::move(change)); }

boost::asio::awaitable<api::ApiReply> answer(Api& api, api::ApiCall call, std::string target) { co_return co_await api.answer(std::move(call), std::move(target)); }

}  // namespace

TwoNodes::TwoNodes() : NodeWorld(1, std::getenv("MCV_SIM_TRACE") != nullptr) {
  for (const std::size_t node : both) start_daemon(node);
}

void TwoNodes::initialise(std::size_t node) {
  must(node, "POST", "/v1/node/init", {{"all", true}});
  must(node, "PUT", "/v1/node/addresses", {{"cluster_address", sim::node_address(node)}});
}

void TwoNodes::upgrade(std::size_t node, const std::string& version) {
  end_daemon(node);
  builds_[node].version = version;
  start_daemon(node);
}

void TwoNodes::upgrade(std::size_t node, Abilities abilities) {
  end_daemon(node);
  builds_[node].abilities = std::move(abilities);
  start_daemon(node);
}

void TwoNodes::reinstall(std::size_t node) {
  end_daemon(node);
  machines_[node]->power_off();
  disks_[node].store = sim::StoreDisk();
  for (const char* tree : {sim::state_directory, "/etc/corosync", "/etc/drbd.d"}) disks_[node].files.remove_tree(tree);
  machines_[node]->boot();
  start_daemon(node);
}

std::string TwoNodes::invitation(std::size_t node) { return ask(node, "POST", "/v1/cluster/connect-string", Json::object()).body.value("connect_string", ""); }

TwoNodes::Answer TwoNodes::add(std::size_t node, const std::string& connect_string, bool check_only) {
  return ask(node, "POST", "/v1/cluster/add-node", {{"connect_string", connect_string}, {"check_only", check_only}});
}

void TwoNodes::cut_cluster_link() {
  network_.cut = true;
  corosync_.cut();
}

void TwoNodes::heal_cluster_link() {
  network_.cut = false;
  corosync_.heal();
}

void TwoNodes::make_cluster() {
  for (const std::size_t node : both) initialise(node);
  must(a, "POST", "/v1/cluster/add-node", {{"connect_string", invitation(b)}, {"check_only", false}});
  must(a, "POST", "/v1/storage", {{"name", "fast"}, {"vg", "vg0"}, {"thin", true}});
  must(a, "POST", "/v1/drbd/enable", Json::object());
  must(a, "POST", "/v1/networks", {{"name", "lan"}, {"bridge", "br0"}});
}

TwoNodes::Answer TwoNodes::ask(std::size_t node, const std::string& method, const std::string& target, const Json& body) {
  const std::size_t before = report_.violations.size();
  Answer answer = call(node, method, target, body, false);
  for (std::size_t i = before; i < report_.violations.size(); ++i) {
    if (report_.violations[i].find("contract of the API") != std::string::npos) ADD_FAILURE() << report_.violations[i];
  }
  return answer;
}

TwoNodes::Answer TwoNodes::ask_as(std::uint32_t uid, std::size_t node, const std::string& method, const std::string& target, const Json& body) {
  api::ApiCall call;
  call.method = method;
  if (!body.is_null()) call.body = body.dump();
  const auto reply = begin_as(uid, node, std::move(call), target);
  run_events([&] { return reply->has_value(); }, 300s);
  Answer answer;
  answer.answered = reply->has_value();
  if (!answer.answered) return answer;
  for (const std::string& text : sim::ApiContract::get().check(method, target, body, **reply)) ADD_FAILURE() << "contract of the API: " << method << " " << target << ": " << text;
  if (const auto* error = std::get_if<Error>(&**reply)) answer.error = *error;
  if (const auto json = api::document_of(**reply)) {
    answer.body = json->body;
    // What the other node refused comes as it sent it.
    if (json->status >= 400) answer.error = error_from_problem(json->body);
  }
  return answer;
}

std::shared_ptr<std::optional<api::ApiReply>> TwoNodes::begin_as(std::uint32_t uid, std::size_t node, api::ApiCall call, const std::string& target) {
  call.caller.uid = uid;
  return sim::start(lives_[node]->clients, answer(*lives_[node]->api, std::move(call), target));
}

Status TwoNodes::propose(std::size_t node, std::vector<Mutation> mutations) {
  const auto done = wait_for(node, commit(daemon(node), Change{"", "test", std::move(mutations)}));
  if (!done) throw std::runtime_error("a change was not answered");
  if (!done->ok()) return done->error();
  return success();
}

void TwoNodes::must(std::size_t node, const std::string& method, const std::string& target, const Json& body) {
  if (!command(node, method, target, body)) throw std::runtime_error(fmt::format("{} {} failed on {}", method, target, sim::node_name(node)));
}

void TwoNodes::create_vm(const std::string& name) {
  const Json boot = {{"kernel", "/boot/vmlinuz"}, {"initramfs", "/boot/initrd"}, {"cmdline", "console=ttyS0"}};
  const Json disk = {{"size", std::uint64_t{64} << 20}};
  must(a, "POST", "/v1/vms",
       {{"name", name}, {"cpus", 1}, {"memory", std::uint64_t{128} << 20}, {"disks", Json::array({disk})}, {"storage_type", "drbd"}, {"networks", {"lan"}}, {"boot", boot},
        {"hypervisor", "qemu"}});
}

api::ApiReply TwoNodes::route(std::size_t node, api::ApiCall call, const std::string& target) {
  call.caller.uid = 0;
  auto reply = wait_for(node, answer(*lives_[node]->api, std::move(call), target));
  if (!reply) throw std::runtime_error(target + " was not answered");
  return std::move(*reply);
}

std::shared_ptr<std::optional<api::ApiReply>> TwoNodes::begin(std::size_t node, api::ApiCall call, const std::string& target) {
  call.caller.uid = 0;
  return sim::start(lives_[node]->clients, answer(*lives_[node]->api, std::move(call), target));
}

api::ApiReply TwoNodes::console(std::size_t node, const std::string& vm, std::size_t replay) {
  api::ApiCall call;
  call.method = "GET";
  call.upgrade = "mcv-console";
  return route(node, std::move(call), fmt::format("/v1/vms/{}/console?replay={}", vm, replay));
}

std::optional<Result<std::string>> TwoNodes::read(std::size_t node, host::ByteStream& stream) { return wait_for(node, stream.read_some()); }

std::string TwoNodes::read_until(std::size_t node, host::ByteStream& stream, const std::string& wanted) {
  std::string text;
  while (text.find(wanted) == std::string::npos) {
    const auto bytes = read(node, stream);
    if (!bytes || !bytes->ok() || (*bytes)->empty()) break;
    text += **bytes;
  }
  return text;
}

void TwoNodes::type(std::size_t node, host::ByteStream& stream, const std::string& keys) {
  const auto sent = wait_for(node, stream.write(keys));
  if (!sent || !sent->ok()) throw std::runtime_error("the console took no keys");
}

Result<host::PeerReply> TwoNodes::peer_request(host::PeerNetwork& from, std::size_t to, host::HttpRequest request) {
  host::PeerEndpoint endpoint{sim::node_address(to), daemon(to).settings.peer_port, peer_network(to).own_fingerprint()};
  auto reply = wait_for(1 - to, from.upgrade(std::move(endpoint), std::move(request), 5s));
  if (!reply) throw std::runtime_error("the peer did not answer");
  return std::move(*reply);
}

sim::SimVmm& TwoNodes::vmm(std::size_t node, const std::string& vm) {
  for (const auto& [unit, vmm] : machines_[node]->vmms) {
    if (vmm->vm == vm) return *vmm;
  }
  throw std::runtime_error(vm + " has no VMM on " + sim::node_name(node));
}

void TwoNodes::guest_prints(std::size_t node, const std::string& vm_name, const std::string& text) {
  if (const auto& console = vmm(node, vm_name).to_console) console(text);
}

void TwoNodes::shut_down_guest(std::size_t node, const std::string& vm_name) {
  if (!machines_[node]->power_down(vmm(node, vm_name))) throw std::runtime_error(vm_name + " is not up");
}

std::string TwoNodes::typed_at_guest(std::size_t node, const std::string& vm_name) {
  pass(1s);
  return vmm(node, vm_name).typed;
}

}  // namespace mcv::test
