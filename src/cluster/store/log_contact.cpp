// SPDX-License-Identifier: Apache-2.0
// Contact with the other node, from hello to one history (reunion.h decides which).
#include "cluster/store/log_machine.h"

#include <algorithm>
#include <fmt/format.h>

#include "cluster/core/units.h"
#include "cluster/store/log_machine_parts.h"

namespace mcv {

using namespace log_parts;

namespace {

constexpr std::size_t part_bytes = 512 * 1024;  // of a whole state; the group takes 900 KiB at once

}  // namespace

void LogMachine::find_members() {
  own_id_ = peer_id_ = 0;
  for (const NodeRecord& node : image_.state.nodes()) {
    if (node.name.str() == self_) own_id_ = node.id; else if (peer_id_ == 0) peer_id_ = node.id;
  }
  if (own_id_ == 0) peer_id_ = 0;
}

bool LogMachine::peer_present() const {
  const auto present = [&](host::NodeId id) { return id != 0 && std::find(members_.begin(), members_.end(), id) != members_.end(); };
  return connected_ && present(own_id_) && present(peer_id_);
}

std::string LogMachine::peer_name() const {
  for (const NodeRecord& node : image_.state.nodes()) {
    if (node.id == peer_id_ && node.name.str() != self_) return node.name.str();
  }
  return {};
}

void LogMachine::end_session() {
  peer_nonce_.clear();
  peer_abilities_.reset();
  session_.clear();
  incompatible_.clear();
  own_standing_.reset();
  peer_standing_.reset();
  parts_.clear();
  taking_state_ = false;
  synced_.clear();
  together_ = false;
  queue_.clear();
  head_.reset();
}

void LogMachine::members(std::vector<host::NodeId> members, const std::string& nonce) {
  if (failed_) return;
  end_session();
  connected_ = true;
  lost_reason_.clear();
  members_ = std::move(members);
  own_nonce_ = nonce;
  greeted_ = false;
  greet();
  route_all();
  pump();
}

void LogMachine::lost(const std::string& reason) {
  end_session();
  connected_ = false;
  lost_reason_ = reason;
  members_.clear();
  greeted_ = false;
  route_all();
  pump();
}

void LogMachine::greet() {
  if (greeted_ || !peer_present()) return;
  greeted_ = true;
  send({{"type", "hello"}, {"protocol", protocol_version}, {"format", abilities_.format}, {"written", format()}, {"features", abilities_.features}, {"nonce", own_nonce_}});
}

void LogMachine::message(host::NodeId sender, std::string_view bytes) {
  if (failed_ || !greeted_ || (sender != own_id_ && sender != peer_id_)) return;
  const std::size_t end = std::min(bytes.find('\n'), bytes.size());
  const auto header = parse_json(bytes.substr(0, end));
  if (!header.ok() || !header->is_object()) return;
  // No field is one, and Json::value would make some number of it.
  if (std::any_of(header->begin(), header->end(), [](const Json& field) { return field.is_number_float(); })) return;
  try {
    dispatch(sender, *header, bytes.substr(std::min(end + 1, bytes.size())));
  } catch (const Json::exception&) {
    // A field of the wrong type: not from a build that speaks this protocol. Handlers read before they change anything.
  }
  // What this begins reads changes by type, and refuses those it cannot read: nothing of it throws (hostile_messages_test).
  pump();
}

void LogMachine::dispatch(host::NodeId sender, const Json& header, std::string_view payload) {
  const std::string type = header.value("type", "");
  if (type == "hello") {
    if (sender == peer_id_) on_hello(header);
    return;
  }
  // Everything else belongs to one session: what an earlier one left in the network decides nothing.
  if (session_.empty() || header.value("session", "") != session_) return;
  if (type == "standing") on_standing(sender, payload);
  else if (type == "state" && sender == peer_id_) on_state(header, payload);
  else if (type == "synced") on_synced(sender, header);
  else if (type == "propose") on_propose(sender, header, payload);
  else if (type == "ack") on_ack(sender, header);
  else if (type == "refuse") on_refuse(header);
  else if (type == "aborted") on_aborted(sender, header);
}

void LogMachine::on_hello(const Json& header) {
  const auto protocol = header.value("protocol", std::uint64_t{0});
  const std::string nonce = header.value("nonce", "");
  const auto written = header.value("written", std::uint64_t{1});
  Abilities peer = abilities_from_json(header);
  if (nonce == peer_nonce_) return;
  end_session();
  if (protocol != protocol_version) {
    incompatible_ = fmt::format("{} speaks version {} of the protocol, this node version {}: install the same package on both", peer_name(), protocol, protocol_version);
    return route_all();
  }
  const bool is_older = peer.format < format();
  if (is_older || written > abilities_.format) {
    incompatible_ = fmt::format("the configuration has format {}, the build on {} knows formats up to {}: install the same package on both", std::max(format(), written),
                                is_older ? peer_name() : self_, is_older ? peer.format : abilities_.format);
    return route_all();
  }
  peer_nonce_ = nonce;
  peer_abilities_ = std::move(peer);
  session_ = own_id_ < peer_id_ ? own_nonce_ + ":" + peer_nonce_ : peer_nonce_ + ":" + own_nonce_;
  // Contact ends authority, durably and before the peer hears where we stand: from now on this generation grows only
  // with both nodes.
  if (!image_.alone) return send_standing();
  Persist step = facts();
  step.essential = true;
  step.alone = false;
  persist(std::move(step), After::end_alone);
}

void LogMachine::send_standing() { send({{"type", "standing"}, {"session", session_}}, canonical(standing_of(image_).to_json())); }

void LogMachine::on_standing(host::NodeId sender, std::string_view payload) {
  const auto json = parse_json(payload);
  if (!json.ok()) return;
  auto standing = Standing::from_json(*json);
  if (!standing.ok()) {
    incompatible_ = fmt::format("{} cannot be understood: {}", peer_name(), standing.error().message());
    return route_all();
  }
  (sender == own_id_ ? own_standing_ : peer_standing_) = std::move(*standing);
  if (own_standing_ && peer_standing_) decide();
}

void LogMachine::decide() {
  const Reunion reunion = reunite(*own_standing_, *peer_standing_);
  switch (reunion.step) {
    case ReunionStep::converge: return converge(reunion.common);
    case ReunionStep::take_state: taking_state_ = true; return;
    case ReunionStep::diverged: return diverge(reunion.reason);
    case ReunionStep::send_state: break;
  }
  if (!image_.diverged) return send_state();
  Persist step = facts();
  step.essential = true;
  step.diverged = Json();
  persist(std::move(step), After::meet_newer);
}

void LogMachine::converge(std::uint64_t common) {
  if (common == image_.committed_index && common == image_.last_index() && !image_.diverged) return send_synced();
  Persist step = facts();
  step.essential = true;
  auto next = with_tentative(common, step);
  if (!next.ok()) return fail(std::move(next).error());
  if (common > image_.committed_index) {
    step.committed_index = common;
    step.committed_hash = image_.log.at(common).hash;
    next_state_ = std::move(*next);
  }
  step.drop_above = common;
  if (image_.diverged) step.diverged = Json();
  persist(std::move(step), After::converge);
}

void LogMachine::send_state() {
  const std::string text = whole_state(image_, whole_state_bytes);
  const std::size_t parts = (text.size() + part_bytes - 1) / part_bytes;
  for (std::size_t part = 0; part < parts; ++part) {
    send({{"type", "state"}, {"session", session_}, {"part", part}, {"parts", parts}}, text.substr(part * part_bytes, part_bytes));
  }
  send_synced();
}

void LogMachine::on_state(const Json& header, std::string_view payload) {
  if (!taking_state_) return;
  const auto part = header.value("part", std::uint64_t{0});
  const auto parts = header.value("parts", std::uint64_t{0});
  if (parts > whole_state_bytes / part_bytes || part >= parts || payload.size() > part_bytes) {
    taking_state_ = false;
    parts_.clear();
    incompatible_ = fmt::format("the configuration {} sends is larger than {}", peer_name(), Bytes(whole_state_bytes).to_text());
    return route_all();
  }
  parts_[part] = payload;
  if (parts_.size() < parts) return;
  taking_state_ = false;
  std::string text;
  for (const auto& [number, bytes] : std::exchange(parts_, {})) text += bytes;
  auto json = parse_json(text);
  auto image = json.ok() ? LogImage::from_json(*json, abilities_.format) : Result<LogImage>(json.error());
  if (!image.ok()) {
    incompatible_ = fmt::format("the configuration {} sent cannot be read: {}", peer_name(), image.error().message());
    return route_all();
  }
  const auto announced = peer_standing_->hashes.find(image->committed_index);
  if (announced == peer_standing_->hashes.end() || announced->second != image->committed_hash) {
    return diverge(fmt::format("{} sent another configuration than it had announced", peer_name()));
  }
  Persist step;
  step.essential = true;
  step.replace_all = true;
  step.committed_index = image->committed_index;
  step.committed_hash = image->committed_hash;
  step.generations = std::move(image->generations);
  step.diverged = Json();
  for (auto& [index, entry] : image->log) step.append.push_back(std::move(entry));
  add_all_rows(step, image->state);
  next_state_ = std::move(image->state);
  persist(std::move(step), After::take_state);
}

void LogMachine::diverge(const std::string& reason) {
  together_ = false;
  queue_.clear();
  head_.reset();
  const auto describe = [](const std::optional<Standing>& standing) {
    if (!standing || standing->generations.empty()) return Json();
    const GenerationRecord& record = standing->generations.back();
    return Json{{"committed", standing->committed}, {"hash", end_of(*standing).hash}, {"counter", record.ref.counter}, {"uuid", record.ref.uuid}, {"taken_by", record.taken_by},
                {"proof", record.proof}, {"base_index", record.base_index}};
  };
  Persist step = facts();
  step.essential = true;
  const auto common = own_standing_ && peer_standing_ ? last_common_entry(*own_standing_, *peer_standing_) : std::pair<std::uint64_t, std::string>();
  step.diverged = Json{{"reason", reason},
                       {"peer_name", peer_name()},
                       {"own", describe(own_standing_)},
                       {"peer", describe(peer_standing_)},
                       {"common", {{"index", common.first}, {"hash", common.second}}}};
  persist(std::move(step), After::diverge);
}

void LogMachine::send_synced() {
  send({{"type", "synced"}, {"session", session_}, {"position", to_json(position())}, {"state", image_.state.hash()}});
}

void LogMachine::on_synced(host::NodeId sender, const Json& header) {
  synced_[sender] = header;
  if (synced_.size() < 2) return;
  const Json& own = synced_.at(own_id_);
  const Json& peer = synced_.at(peer_id_);
  if (own.value("position", Json()) != peer.value("position", Json()) || own.value("state", "") != peer.value("state", "")) {
    return diverge("after exchanging their histories the nodes still hold different configurations");
  }
  together_ = true;
  resolve_tickets();
}

}  // namespace mcv
