// SPDX-License-Identifier: Apache-2.0
// The bodies of the API, each by every reader: a request that was meant for one route comes to another one.
#include "cluster/core/json.h"
#include "cluster/requests/access_requests.h"
#include "cluster/requests/requests.h"
#include "targets.h"

namespace mcv::fuzz {
namespace {

template <typename Reader>
void read(Reader reader, const Json& body) {
  const auto request = reader(body);
  if (!request.ok()) must(!request.error().message().empty(), "a refusal has a reason");
}

void bodies(std::string_view text) {
  const auto body = parse_json(text);
  if (!body.ok()) return;
  read(requests::create_vm, *body);
  read(requests::update_vm, *body);
  read(requests::start_vm, *body);
  read(requests::stop_vm, *body);
  read(requests::migrate_vm, *body);
  read(requests::verify, *body);
  read(requests::resync_vm, *body);
  read(requests::storage_type, *body);
  read(requests::attach_disks, *body);
  read(requests::create_network, *body);
  read(requests::create_pool, *body);
  read(requests::set_addresses, *body);
  read(requests::init_node, *body);
  read(requests::add_node, *body);
  read(requests::confirm_down, *body);
  read(requests::update_cluster, *body);
  read(requests::accept_copy, *body);
  read(requests::choose_history, *body);
  read(requests::remove_node, *body);
  read(requests::add_user, *body);
  read(requests::create_group, *body);
  read(requests::add_member, *body);
  read(requests::grant, *body);
}

void addresses(std::string_view text) {
  const auto address = requests::parse_address(std::string(text));
  if (!address.ok()) return;
  const auto again = requests::parse_address(*address);
  must(again.ok() && *again == *address, "an address is in its canonical spelling");
}

}  // namespace

std::vector<Target> request_targets() { return {{"bodies", bodies, {}}, {"addresses", addresses, {}}}; }

}  // namespace mcv::fuzz
