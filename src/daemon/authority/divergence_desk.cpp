// SPDX-License-Identifier: Apache-2.0
#include "daemon/authority/divergence_desk.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <spdlog/spdlog.h>

#include "cluster/authority/settlement.h"
#include "cluster/core/json_value.h"
#include "cluster/store/reunion.h"
#include "daemon/node/node.h"

namespace mcv {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::milliseconds peer_bound{20'000};
constexpr std::chrono::milliseconds adoption_bound{20'000};
/// A change has 512 KiB; the commands matter more than the last of many entries.
constexpr std::size_t kept_list_bytes = std::size_t{256} << 10;
constexpr std::size_t longest_summary = 200;

Error needs_both(const std::string& peer, const Error& cause) {
  return Error(ErrorCode::peer_unreachable, fmt::format("the choice between two histories needs both nodes, and {} did not answer ({})", peer, cause.message()))
      .with_safe("both histories are kept, nothing was changed")
      .with_next(fmt::format("bring {0} and the link to it back, then the same command again. Only if {0} is lost for good: hvctl cluster confirm-down {0}", peer));
}

Error busy(const std::string& why, const std::string& next) { return Error(ErrorCode::busy, why).with_safe("both histories are kept, nothing was changed").with_next(next); }

Json entries_json(const std::vector<HistoryEntry>& entries) {
  Json list = Json::array();
  for (const HistoryEntry& entry : entries) list.push_back(entry.to_json());
  return list;
}

/// When this node or the other one recorded that it went on alone by that generation; null where nobody did.
Json since_of(const authority::AloneLedger& ledger, const GenerationRecord& record) {
  const authority::AloneSince* since = ledger.latest(NodeName::trusted(record.taken_by), record.ref);
  return since == nullptr || since->wall_seconds == 0 ? Json() : Json(since->wall_seconds);
}

Json side_json(const std::string& node, const char* known, const History& history, const authority::AloneLedger& ledger) {
  Json taken = Json::array();
  for (const GenerationRecord& record : history.generations) {
    taken.push_back({{"counter", record.ref.counter}, {"uuid", record.ref.uuid}, {"taken_by", record.taken_by}, {"proof", record.proof}, {"since", since_of(ledger, record)}});
  }
  return {{"node", node}, {"known", known}, {"generations", std::move(taken)}, {"index", history.end.index}, {"hash", history.end.hash}, {"complete", history.is_complete}, {"changes", entries_json(history.entries)}};
}

/// As it was recorded at the meeting: its generation, and none of its entries.
Json recorded_side(const Json& divergence, const authority::AloneLedger& ledger) {
  const Json peer = value_in(divergence, "peer", Json());
  History history;
  history.is_complete = false;
  if (peer.is_object()) {
    GenerationRecord record;
    record.ref = {value_in(peer, "counter", std::uint64_t{0}), value_in(peer, "uuid", "")};
    record.taken_by = value_in(peer, "taken_by", "");
    record.proof = value_in(peer, "proof", "");
    history.end = {record.ref, value_in(peer, "committed", std::uint64_t{0}), value_in(peer, "hash", "")};
    history.generations.push_back(std::move(record));
  }
  return side_json(value_in(divergence, "peer_name", ""), "recorded", history, ledger);
}

/// What is kept of a history that was given up, within what one entry may hold.
void trim(Json& list) {
  Json& changes = list["history"]["changes"];
  for (Json& change : changes) {
    const std::string summary = value_in(change, "summary", "");
    if (summary.size() > longest_summary) change["summary"] = summary.substr(0, longest_summary);
  }
  std::size_t left_out = 0;
  while (!changes.empty() && canonical(list).size() > kept_list_bytes) {
    const std::size_t half = (changes.size() + 1) / 2;
    changes.erase(changes.begin(), changes.begin() + static_cast<std::ptrdiff_t>(half));
    left_out += half;
  }
  list["changes_left_out"] = left_out;
}

Json fates_json(const std::vector<authority::VmFate>& vms) {
  Json list = Json::array();
  for (const authority::VmFate& fate : vms) list.push_back({{"vm", fate.vm.str()}, {"owner", fate.owner.str()}, {"text", fate.text}});
  return list;
}

Json repeat_json(const std::vector<authority::ToRepeat>& items) {
  Json list = Json::array();
  for (const authority::ToRepeat& item : items) list.push_back({{"text", item.text}, {"command", item.command}});
  return list;
}

}  // namespace

struct DivergenceDesk::OtherSide {
  NodeName name;
  std::pair<std::uint64_t, std::string> common;
  History history;
  std::size_t running = 0;   ///< operations
  bool knows_drbd = true;
};

asio::awaitable<Result<DivergenceDesk::OtherSide>> DivergenceDesk::ask_peer(bool to_choose) {
  const auto record = node_.peer_record();
  if (!record) co_return Error(ErrorCode::not_found, "there is no other node").with_next("hvctl info");
  OtherSide side;
  side.name = record->name;
  Json body = {{"standing", full_standing_of(node_.shared.image()).to_json()}, {"to_choose", to_choose}};
  auto asked = co_await node_.peer.post(*record, "/peer/v1/history", std::move(body), peer_bound);
  if (!asked.ok()) {
    const ErrorCode code = asked.error().code();
    if (code == ErrorCode::peer_unreachable || code == ErrorCode::outcome_unknown) co_return needs_both(record->name.str(), asked.error());
    if (code == ErrorCode::unknown_route) {
      co_return Error(ErrorCode::version_mismatch, fmt::format("the package on {} is older and knows no choice between histories", record->name.str())).with_safe("both histories are kept, nothing was changed").with_next("install the same package version on both nodes");
    }
    co_return std::move(asked).error();
  }
  const Json answer = std::move(*asked);
  Fields fields(answer, "history of the other node");
  side.common.first = fields.required<std::uint64_t>("common_index");
  side.common.second = fields.required<std::string>("common_hash");
  side.running = fields.required<std::uint64_t>("operations");
  side.knows_drbd = fields.required<bool>("knows_drbd");
  const Json* history = fields.object("history");
  MCV_CO_CHECK(fields.finish_lenient());
  MCV_CO_TRY(side.history, History::from_json(*history));
  co_return side;
}

asio::awaitable<Result<Json>> DivergenceDesk::answer_peer(Json body) {
  Fields fields(body, "history request");
  const Json* told = fields.object("standing");
  const bool to_choose = fields.required<bool>("to_choose");
  MCV_CO_CHECK(fields.finish_lenient());
  MCV_CO_TRY(const Standing peer, Standing::from_json(*told));
  const std::string self = node_.self().str();
  if (to_choose && choosing_) co_return busy(fmt::format("a history is being chosen on {} at this moment", self), "hvctl cluster diverged");
  if (to_choose && node_.shared.link().state != LinkState::diverged) {
    // A history that may still grow cannot be given up as a whole.
    co_return busy(fmt::format("{} is not as far as to know of two histories: its link is {}", self, to_text(node_.shared.link().state)), "hvctl info on both nodes, then the same command again");
  }
  const LogImage& image = node_.shared.image();
  const auto common = last_common_entry(full_standing_of(image), peer);
  const bool replicates = image.state.setting("drbd") == "enabled";
  Json answer = {{"common_index", common.first},
                 {"common_hash", common.second},
                 {"operations", node_.operations.running() + node_.starting->size()},
                 {"knows_drbd", !replicates || node_.drbd.complete()},
                 {"history", history_above(image, common.first).to_json()}};
  co_return answer;
}

asio::awaitable<Json> DivergenceDesk::view() {
  const authority::AloneLedger ledger = node_.authority.standpoint().ledger;
  const std::string self = node_.self().str();
  const bool is_diverged = node_.shared.link().state == LinkState::diverged;
  Json json = {{"node", self}, {"diverged", is_diverged}, {"reason", is_diverged ? node_.shared.link().reason : ""}, {"common", nullptr}, {"histories", Json::array()}};
  if (is_diverged) {
    const Json divergence = node_.shared.divergence();
    const Json recorded = value_in(divergence, "common", Json::object());
    std::pair<std::uint64_t, std::string> common = {value_in(recorded, "index", std::uint64_t{0}), value_in(recorded, "hash", "")};
    auto other = co_await ask_peer(false);
    if (other.ok()) common = other->common;
    if (common.first > 0) json["common"] = {{"index", common.first}, {"hash", common.second}};
    json["histories"].push_back(side_json(self, "own", history_above(node_.shared.image(), common.first), ledger));
    json["histories"].push_back(other.ok() ? side_json(other->name.str(), "asked", other->history, ledger) : recorded_side(divergence, ledger));
  }
  Json given_up = Json::array();
  for (const auto& [key, entry] : node_.shared.current().all(Kind::setting)) {
    if (authority::is_given_up_list(Kind::setting, key)) given_up.push_back(entry.value);
  }
  json["given_up"] = std::move(given_up);
  co_return json;
}

asio::awaitable<Result<Json>> DivergenceDesk::choose(std::string by) {
  if (by.empty()) co_return co_await choose_now(std::move(by));
  if (choosing_) co_return busy("a history is being chosen at this moment", "hvctl cluster diverged");
  choosing_ = true;
  auto chosen = co_await choose_now(std::move(by));
  choosing_ = false;
  co_return chosen;
}

asio::awaitable<Result<Json>> DivergenceDesk::choose_now(std::string by) {
  const std::string self = node_.self().str();
  if (node_.shared.link().state != LinkState::diverged) {
    co_return Error(ErrorCode::bad_request, fmt::format("{} holds one history: there is nothing to choose", self)).with_safe("nothing was changed").with_next("hvctl cluster diverged");
  }
  MCV_CO_TRY(const OtherSide other, co_await ask_peer(!by.empty()));
  Look here;
  Look there;
  MCV_CO_TRY(const NodeFacts own_facts, co_await node_.observer.look(std::move(here)));
  auto looked = co_await node_.look_at_peer(std::move(there));
  if (!looked.ok()) co_return needs_both(other.name.str(), looked.error());
  const bool replicates = node_.shared.current().setting("drbd") == "enabled";
  if ((replicates && !node_.drbd.complete()) || !other.knows_drbd) co_return busy("what DRBD does is not known on both nodes yet", "hvctl drbd list on both nodes, then the same command again");
  if (node_.operations.running() + node_.starting->size() > 0) co_return busy(fmt::format("operations run on {}", self), "hvctl op list");
  if (other.running > 0) co_return busy(fmt::format("operations run on {}", other.name.str()), fmt::format("on {}: hvctl op list", other.name.str()));
  const History ours = history_above(node_.shared.image(), other.common.first);
  const authority::AloneLedger ledger = node_.authority.standpoint().ledger;
  const authority::SettleQuestion question{node_.self(), other.name, ours, other.history, own_facts, *looked, ledger};
  MCV_CO_TRY(authority::Settlement settlement, authority::settle(question));
  Json list = {{"base", self},
               {"other", other.name.str()},
               {"by", by},
               {"wall_seconds", node_.host.clock.wall_seconds()},
               {"common", {{"index", other.common.first}, {"hash", other.common.second}}},
               {"history", side_json(other.name.str(), "asked", other.history, ledger)},
               {"vms", fates_json(settlement.vms)},
               {"to_repeat", repeat_json(settlement.to_repeat)}};
  trim(list);
  if (by.empty()) co_return list;
  Settled settled;
  settled.other = other.history.end;
  settled.proof = "chosen: " + by;
  settled.change.id = node_.host.random.uuid();
  settled.change.summary = fmt::format("the history of {} is kept, that of {} is given up", self, other.name.str());
  settled.change.mutations = std::move(settlement.mutations);
  const std::uint64_t counter = std::max(ours.end.generation.counter, other.history.end.generation.counter) + 1;
  Mutation kept;
  kept.kind = Kind::setting;
  kept.key = authority::given_up_prefix + std::to_string(counter);
  kept.value = list;
  settled.change.mutations.push_back(std::move(kept));
  MCV_CO_TRY(const Committed done, co_await node_.shared.settle(std::move(settled)));
  spdlog::warn("of two histories that of {} is kept, that of {} is given up, in generation {} ({})", self, other.name.str(), done.generation.counter, by);
  // Durable here: whatever happens from now on, the other node takes it when the two meet.
  const bool adopted = co_await node_.shared.wait_together(adoption_bound);
  list["generation"] = done.generation.counter;
  list["adopted"] = adopted;
  co_return list;
}

asio::awaitable<Result<Committed>> DivergenceDesk::dismiss() {
  Change change;
  change.id = node_.host.random.uuid();
  change.summary = "the lists of what was given up are dismissed";
  for (const auto& [key, entry] : node_.shared.current().all(Kind::setting)) {
    if (authority::is_given_up_list(Kind::setting, key)) change.mutations.push_back(erase_at(node_.shared.current(), Kind::setting, key));
  }
  if (change.mutations.empty()) co_return Error(ErrorCode::not_found, "there is no list of what was given up").with_safe("nothing was changed").with_next("hvctl cluster diverged");
  Result<Committed> done = co_await node_.shared.propose(std::move(change));
  co_return done;
}

}  // namespace mcv
