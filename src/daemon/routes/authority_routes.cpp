// SPDX-License-Identifier: Apache-2.0
// /v1/cluster/confirm-down, /v1/cluster/accept-copy
#include <fmt/format.h>

#include "cluster/authority/acceptance.h"
#include "cluster/requests/requests.h"
#include "daemon/node/node.h"
#include "daemon/routes/api.h"

namespace mcv::routes {

namespace asio = boost::asio;

namespace {

Json names(const std::vector<VolumeName>& volumes) {
  Json list = Json::array();
  for (const VolumeName& volume : volumes) list.push_back(volume.str());
  return list;
}

Json answer_of(const Node& node, const AuthorityKeeper::Confirmed& confirmed) {
  const auto peer = node.peer_record();
  Json left_out = Json::array();
  for (const auto& [volume, reason] : confirmed.left_out) {
    left_out.push_back(authority::reason_text(volume, peer ? peer->name : NodeName(), reason));
  }
  Json answer = {{"covered", names(confirmed.covered)},
                 {"left_out", left_out},
                 {"resumed", names(confirmed.resumed)},
                 {"still_held", names(confirmed.still_held)},
                 {"generation", node.shared.position().generation.counter},
                 {"last_contact", nullptr},
                 {"after_leave", confirmed.after_leave},
                 {"two_histories", confirmed.two_histories},
                 {"left_at", nullptr}};
  if (confirmed.left_at != 0) answer["left_at"] = confirmed.left_at;
  const LastContact last = node.authority.last_contact();
  if (last.known) answer["last_contact"] = last.wall_seconds;
  return answer;
}

std::string deciding_alone(const std::string& peer) { return fmt::format("decide alone while {} is down, and let held writes go on", peer); }

std::string using_the_copy(const VolumeName& volume) { return fmt::format("use the copy of {} here although it may be older", volume.str()); }

/// For the audit: of which VM's disk.
void note_copy(const Node& node, const api::ApiCall& call, const VolumeName& volume) {
  const auto record = node.shared.current().volume(volume);
  if (!call.audit || !record.ok()) return;
  call.audit->vms = {record->vm.str()};
  call.audit->text = using_the_copy(volume);
}

asio::awaitable<api::ApiReply> confirm_down(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({"dry_run"}));
  MCV_CO_TRY(const bool dry_run, call.flag("dry_run"));
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const requests::ConfirmDown request, requests::confirm_down(body));
  if (request.check_only) call.only_looks();
  MCV_CO_CHECK(node.own_record());
  std::optional<authority::TypedFacts> facts;
  if (!request.check_only && !dry_run) facts = authority::TypedFacts{request.is_powered_off, request.nobody_let_it_carry_on, request.was_let_go_on};
  const LastContact last = node.authority.last_contact();
  const std::string since = last.known ? fmt::format("{} (seconds since 1970)", last.wall_seconds) : std::string("a time before this daemon was started");
  const std::string second = request.was_let_go_on ? fmt::format("it was let go on when {} left in order", node.self().str()) : fmt::format("nobody let it carry on alone since {}", since);
  std::string by = fmt::format("{} on {} typed that {} is powered off and that {}", api::who(call.caller), node.self().str(), request.node, second);
  if (const auto peer = node.peer_record(); call.audit && peer && peer->name.str() == request.node) call.audit->text = deciding_alone(request.node);
  std::string name = request.node;
  MCV_CO_TRY(const AuthorityKeeper::Confirmed confirmed, co_await node.authority.confirm_down(std::move(name), facts, std::move(by)));
  if (dry_run) {
    Json step = {{"step", "confirm-down"}, {"node", node.self().str()}, {"text", deciding_alone(request.node)}};
    Json plan = {{"plan", Json::array({std::move(step)})}};
    co_return api::reply(std::move(plan));
  }
  Json answer = answer_of(node, confirmed);
  if (request.check_only) co_return api::reply(std::move(answer));
  Json done = {{"result", std::move(answer)}, {"durability", "single node"}};
  co_return api::reply(std::move(done));
}

asio::awaitable<api::ApiReply> accept_copy(Node& node, api::ApiCall call) {
  MCV_CO_CHECK(call.only_query({"dry_run"}));
  MCV_CO_TRY(const bool dry_run, call.flag("dry_run"));
  MCV_CO_TRY(const Json body, call.json());
  MCV_CO_TRY(const requests::AcceptCopy request, requests::accept_copy(body));
  if (request.check_only) call.only_looks();
  MCV_CO_CHECK(node.own_record());
  const VolumeName volume = request.volume;
  note_copy(node, call, volume);
  const bool only_asks = request.check_only || dry_run;
  std::string by;
  if (!only_asks) {
    if (!request.may_be_older) {
      co_return Error(ErrorCode::not_confirmed, fmt::format("it has to be confirmed that the copy of {} here may be older", request.volume.str()))
          .with_safe("nothing was changed; both copies are as they were")
          .with_next(authority::accept_command(request.volume));
    }
    by = fmt::format("{} on {} typed that the copy of {} there is used although it may be older", api::who(call.caller), node.self().str(), request.volume.str());
  }
  MCV_CO_TRY(const AuthorityKeeper::Accepted accepted, co_await node.authority.accept_copy(volume, std::move(by)));
  if (dry_run) {
    Json step = {{"step", "accept-copy"}, {"node", node.self().str()}, {"text", using_the_copy(volume)}};
    Json plan = {{"plan", Json::array({std::move(step)})}};
    co_return api::reply(std::move(plan));
  }
  Json answer = {{"volume", volume.str()}, {"vm", accepted.vm.str()}, {"reason", accepted.reason}, {"limit", accepted.limit}};
  if (request.check_only) co_return api::reply(std::move(answer));
  Json done = {{"result", std::move(answer)}, {"durability", "single node"}};
  co_return api::reply(std::move(done));
}

}  // namespace

void add_authority_routes(api::Router& router, Node& node) {
  add(router, node, "POST", "/v1/cluster/confirm-down", Permission::cluster_confirm_down, Reach::cluster, confirm_down);
  add(router, node, "POST", "/v1/cluster/accept-copy", Permission::cluster_accept_copy, Reach::cluster, accept_copy);
}

}  // namespace mcv::routes
