// SPDX-License-Identifier: Apache-2.0
#include "cluster/store/log_machine.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace mcv {
namespace {

constexpr std::uint64_t protocol_version = 1;
constexpr std::uint64_t kept_entries = 1000;       // outcome() can answer this far back
constexpr std::size_t sent_entries = 256;          // of them go with a whole state
constexpr std::size_t kept_generations = 32;
constexpr std::size_t part_bytes = 512 * 1024;     // of a whole state; the group takes 900 KiB at once
constexpr std::size_t change_limit = 512 * 1024;

Json error_to_json(const Error& error) {
  return {{"code", to_text(error.code())}, {"message", error.message()}, {"safe", error.safe()}, {"next", error.next()}};
}

Error error_from_json(const Json& json) {
  Error error(error_code_from_text(json.value("code", "internal")), json.value("message", "the peer refused"));
  return std::move(std::move(error).with_safe(json.value("safe", ""))).with_next(json.value("next", ""));
}

Json position_to_json(const Position& position) {
  return {{"counter", position.generation.counter}, {"uuid", position.generation.uuid}, {"index", position.index}, {"hash", position.hash}};
}

Status check_format(const Change& change) {
  for (const Mutation& mutation : change.mutations) {
    if (mutation.kind != Kind::setting || mutation.key != "format" || !mutation.value) continue;
    const bool known = mutation.value->is_string() && mutation.value->get<std::string>() == std::to_string(known_format);
    if (!known) {
      return Error(ErrorCode::format_unknown, fmt::format("this build knows formats up to {}", known_format))
          .with_next("install the same package version on both nodes, then repeat the command");
    }
  }
  return success();
}

void add_rows(Persist& step, const ClusterState& state, const Change& change) {
  for (const Mutation& mutation : change.mutations) {
    const ClusterState::Entry* entry = state.find(mutation.kind, mutation.key);
    step.rows.push_back({mutation.kind, mutation.key, entry == nullptr ? std::nullopt : std::optional(*entry)});
  }
}

void add_all_rows(Persist& step, const ClusterState& state) {
  for (const Kind kind : {Kind::node, Kind::network, Kind::pool, Kind::vm, Kind::volume, Kind::setting}) {
    for (const auto& [key, entry] : state.all(kind)) step.rows.push_back({kind, key, entry});
  }
}

}  // namespace

LogMachine::LogMachine(std::string self, LogImage image) : self_(std::move(self)), image_(std::move(image)) {
  for (const auto& [index, entry] : image_.log) {
    if (!entry.change_id.empty()) ids_[entry.change_id] = index;
  }
  find_members();
}

// --- output ------------------------------------------------------------------------------------------------

std::optional<Output> LogMachine::take_output() {
  const bool ready = !output_.messages.empty() || !output_.answers.empty() || output_.state_changed || output_.failed;
  if (ready) return std::exchange(output_, Output{});
  if (!persist_wanted_) return std::nullopt;
  persist_wanted_ = false;
  Output output;
  output.persist = in_flight_;
  return output;
}

void LogMachine::persist(Persist step, After after) {
  in_flight_ = std::move(step);
  after_ = after;
  persist_wanted_ = true;
}

Persist LogMachine::facts() const {
  Persist step;
  step.committed_index = image_.committed_index;
  step.committed_hash = image_.committed_hash;
  step.alone = image_.alone;
  return step;
}

void LogMachine::apply_in_flight() {
  Persist& step = in_flight_;
  if (step.replace_all) {
    image_.log.clear();
    ids_.clear();
  }
  const auto forget = [&](auto first, auto last) {
    for (auto entry = first; entry != last; ++entry) ids_.erase(entry->second.change_id);
    image_.log.erase(first, last);
  };
  if (step.drop_above) forget(image_.log.upper_bound(*step.drop_above), image_.log.end());
  if (step.compact_below) forget(image_.log.begin(), image_.log.lower_bound(*step.compact_below));
  for (LogEntry& entry : step.append) {
    if (!entry.change_id.empty()) ids_[entry.change_id] = entry.index;
    image_.log[entry.index] = std::move(entry);
  }
  image_.committed_index = step.committed_index;
  image_.committed_hash = step.committed_hash;
  image_.alone = step.alone;
  if (step.generations) image_.generations = std::move(*step.generations);
  if (step.diverged) {
    if (step.diverged->is_null()) image_.diverged.reset(); else image_.diverged = std::move(*step.diverged);
  }
  if (next_state_) {
    image_.state = std::move(*next_state_);
    next_state_.reset();
    output_.state_changed = true;
    find_members();
  }
  in_flight_ = Persist{};
}

void LogMachine::persisted(const Status& status) {
  const After after = std::exchange(after_, After::nothing);
  if (status.ok()) {
    apply_in_flight();
    after_persist(after);
    return pump();
  }
  const Error error = status.error();
  next_state_.reset();
  in_flight_ = Persist{};
  // A full disk left everything as it was: what was only asked for is refused. What was already decided cannot be.
  if (error.code() == ErrorCode::disk_full) {
    if (after == After::append) {
      send_about_head("refuse", {{"error", error_to_json(Error(error).with_context(self_))}});
      return pump();
    }
    if (after == After::local_commit) {
      refuse_local(std::exchange(local_, 0), error);
      return pump();
    }
    if (after == After::initialise || after == After::adopt || after == After::generation) {
      answer(std::exchange(local_, 0), error);
      return pump();
    }
  }
  fail(error);
}

void LogMachine::after_persist(After after) {
  switch (after) {
    case After::nothing: return;
    case After::initialise:
    case After::adopt:
      answer(std::exchange(local_, 0), committed_at(image_.committed_index, false));
      greet();
      return route_all();
    case After::local_commit:
      answer(std::exchange(local_, 0), committed_at(image_.committed_index, false));
      return greet();
    case After::append:
      head_->appended = true;
      return send_about_head("ack", {{"hash", head_->entry.hash}});
    case After::commit: {
      const Head done = std::move(*head_);
      head_.reset();
      lingering_.erase(done.change.id);
      if (is_waiting(done.proposal)) answer(done.proposal.ticket, committed_at(done.entry.index, true));
      if (peer_id_ == 0) {
        // The change removed the other node: from here on this is a cluster of one, or no member at all.
        end_session();
        for (auto& [ticket, waiting] : waiting_) waiting.sent = waiting.placed = false;
        route_all();
      }
      return;
    }
    case After::abort: return send_about_head("aborted", Json::object());
    case After::end_alone: return send_standing();
    case After::converge:
    case After::take_state: return send_synced();
    case After::meet_newer: return send_state();
    case After::diverge: return route_all();
    case After::generation:
      answer(std::exchange(local_, 0), committed_at(image_.committed_index, false));
      return resolve_tickets();
  }
}

/// Starts what can be started; nothing does while a Persist is outstanding.
void LogMachine::pump() {
  while (after_ == After::nothing && !failed_) {
    const LinkState state = link();
    if ((state == LinkState::single || state == LinkState::alone) && !waiting_.empty()) {
      start_local(waiting_.begin()->first);
    } else if (state == LinkState::together && !head_ && !queue_.empty()) {
      start_head();
    } else {
      return;
    }
  }
}

// --- requests ----------------------------------------------------------------------------------------------

void LogMachine::initialise(Ticket ticket, const std::string& uuid) {
  if (!image_.generations.empty() || failed_) {
    return answer(ticket, Error(ErrorCode::already_exists, "this node has a configuration already").with_next("hvctl info"));
  }
  Persist step = facts();
  GenerationRecord first;
  first.ref = {1, uuid};
  first.taken_by = self_;
  first.proof = "initialised";
  step.generations = std::vector<GenerationRecord>{first};
  local_ = ticket;
  persist(std::move(step), After::initialise);
}

void LogMachine::adopt(Ticket ticket, LogImage image) {
  const LinkState state = link();
  const bool allowed = state == LinkState::uninitialised || state == LinkState::single || state == LinkState::removed || state == LinkState::diverged;
  if (!allowed) {
    return answer(ticket, Error(ErrorCode::already_clustered, "this node is a member of a cluster: its configuration is not replaced").with_next("hvctl info"));
  }
  end_session();
  Persist step;
  step.replace_all = true;
  step.committed_index = image.committed_index;
  step.committed_hash = image.committed_hash;
  step.generations = std::move(image.generations);
  step.diverged = Json();
  for (auto& [index, entry] : image.log) step.append.push_back(std::move(entry));
  add_all_rows(step, image.state);
  next_state_ = std::move(image.state);
  local_ = ticket;
  persist(std::move(step), After::adopt);
}

void LogMachine::propose(Ticket ticket, Change change, Where where) {
  const std::size_t size = change.encode().size();
  if (size > change_limit) {
    return answer(ticket, Error(ErrorCode::too_large, fmt::format("the change has {} bytes, {} are the limit", size, change_limit)));
  }
  waiting_[ticket] = {std::move(change), false, false, where, image_.committed_index};
  route(ticket);
  pump();
}

void LogMachine::expire(Ticket ticket) {
  const auto found = waiting_.find(ticket);
  if (found == waiting_.end()) return;
  const Waiting waiting = found->second;
  if (!waiting.placed) {
    return answer(ticket, Error(ErrorCode::busy, fmt::format("{} is in contact, but the two nodes have not finished comparing their configurations", peer_name()))
                              .with_safe("nothing was changed")
                              .with_next("repeat the command"));
  }
  lingering_.insert(waiting.change.id);
  answer(ticket, unknown(waiting));
}

void LogMachine::take_generation(Ticket ticket, const std::string& uuid, const std::string& proof, const std::function<bool(const ClusterState&)>& holds) {
  const LinkState state = link();
  if (state == LinkState::alone) return answer(ticket, committed_at(image_.committed_index, false));
  if (state == LinkState::syncing || state == LinkState::together) {
    return answer(ticket, Error(ErrorCode::busy, fmt::format("{} is in contact: nobody decides alone", peer_name())).with_next("hvctl info"));
  }
  if (state != LinkState::apart) return answer(ticket, refusal());
  Persist step = facts();
  step.essential = true;
  auto next = with_tentative(image_.last_index(), step);
  if (!next.ok()) return answer(ticket, std::move(next).error());
  if (holds && !holds(*next)) {
    return answer(ticket, Error(ErrorCode::no_authority, fmt::format("what {} would decide alone by does not hold any more", self_)).with_safe("nothing was changed").with_next("hvctl info"));
  }
  GenerationRecord record;
  record.ref = {image_.generations.back().ref.counter + 1, uuid};
  record.taken_by = self_;
  record.proof = proof;
  record.base_index = image_.last_index();
  record.base_hash = image_.last_hash();
  record.recent = standing_of(image_).hashes;
  // Its first entry names what it continues; the tail that only helps to find the place again is not part of history.
  GenerationRecord named = record;
  named.recent.clear();
  LogEntry entry = make_entry(record.base_index + 1, record.ref, EntryKind::generation, "", canonical(named.to_json()), record.base_hash);
  step.committed_index = entry.index;
  step.committed_hash = entry.hash;
  step.alone = true;
  step.append.push_back(std::move(entry));
  step.generations = image_.generations;
  step.generations->push_back(std::move(record));
  if (step.generations->size() > kept_generations) step.generations->erase(step.generations->begin());
  next_state_ = std::move(*next);
  local_ = ticket;
  persist(std::move(step), After::generation);
}

void LogMachine::start_local(Ticket ticket) {
  const Change change = waiting_.at(ticket).change;
  if (const auto known = ids_.find(change.id); known != ids_.end()) return answer(ticket, committed_at(known->second, false));
  ClusterState next = image_.state;
  const std::uint64_t index = image_.committed_index + 1;
  Status status = check_format(change);
  if (status.ok()) status = next.apply(change, index);
  if (!status.ok()) return refuse_local(ticket, status.error());
  Persist step = facts();
  LogEntry entry = make_entry(index, image_.generations.back().ref, EntryKind::change, change.id, change.encode(), image_.committed_hash);
  step.committed_index = index;
  step.committed_hash = entry.hash;
  step.append.push_back(std::move(entry));
  add_rows(step, next, change);
  if (!image_.log.empty() && image_.log.begin()->first + 2 * kept_entries < index) step.compact_below = index - kept_entries;
  next_state_ = std::move(next);
  local_ = ticket;
  persist(std::move(step), After::local_commit);
}

/// Sends a waiting change on its way, leaves it waiting, or refuses it.
void LogMachine::route(Ticket ticket) {
  Waiting& waiting = waiting_.at(ticket);
  if (waiting.sent) return;
  if (waiting.where == Where::only_alone && link() != LinkState::alone) return answer(ticket, contact_came());
  switch (link()) {
    case LinkState::single:
    case LinkState::alone:
    case LinkState::syncing: return;
    case LinkState::together:
      waiting.sent = waiting.placed = true;
      return send({{"type", "propose"}, {"session", session_}, {"ticket", ticket}, {"format", known_format}}, waiting.change.encode());
    default:
      if (!waiting.placed) answer(ticket, refusal());
      return;
  }
}

void LogMachine::route_all() {
  std::vector<Ticket> tickets;
  for (const auto& [ticket, waiting] : waiting_) tickets.push_back(ticket);
  for (const Ticket ticket : tickets) route(ticket);
}

/// The history is settled: what is in it was applied, what is not never got a place and may start over.
void LogMachine::resolve_tickets() {
  lingering_.clear();
  std::vector<Ticket> tickets;
  for (const auto& [ticket, waiting] : waiting_) tickets.push_back(ticket);
  for (const Ticket ticket : tickets) {
    Waiting& waiting = waiting_.at(ticket);
    waiting.sent = false;
    if (together_) waiting.placed = false;
    if (const auto known = ids_.find(waiting.change.id); known != ids_.end()) {
      answer(ticket, committed_at(known->second, together_));
    } else {
      route(ticket);
    }
  }
}

void LogMachine::answer(Ticket ticket, Result<Committed> result) {
  if (ticket == 0) return;
  waiting_.erase(ticket);
  output_.answers.push_back({ticket, std::move(result)});
}

/// Alone, the peer's copy of a change that was on its way stays out of reach until contact.
void LogMachine::refuse_local(Ticket ticket, Error error) {
  const Waiting& waiting = waiting_.at(ticket);
  if (waiting.placed) answer(ticket, unknown(waiting)); else answer(ticket, std::move(error));
}

bool LogMachine::is_waiting(const Proposal& proposal) const { return proposal.proposer == own_id_ && waiting_.contains(proposal.ticket); }

Error LogMachine::unknown(const Waiting& waiting) const {
  return Error(ErrorCode::outcome_unknown,
               peer_id_ == 0 ? fmt::format("whether '{}' was applied is not known: the store failed", waiting.change.summary)
                             : fmt::format("whether '{}' was applied is not known: {} did not report it in time", waiting.change.summary, peer_name()))
      .with_safe("it is applied completely or not at all, and alike on both nodes")
      .with_next(fmt::format("hvctl info, once both nodes are connected: then the change is there or it is not (id {}@{})", waiting.change.id, waiting.asked_at));
}

Error LogMachine::contact_came() const {
  return Error(ErrorCode::no_authority, fmt::format("{} does not decide alone any more", self_)).with_safe("nothing was changed").with_next("hvctl info");
}

Error LogMachine::refusal() const {
  switch (link()) {
    case LinkState::failed: return *failed_;
    case LinkState::uninitialised:
      return Error(ErrorCode::not_initialised, "this node has no configuration yet").with_next("hvctl node init --all");
    case LinkState::removed:
      return Error(ErrorCode::no_authority, fmt::format("{} was removed from the cluster", self_)).with_safe("nothing was changed").with_next("hvctl info");
    case LinkState::diverged:
      return Error(ErrorCode::diverged, fmt::format("the nodes hold two different histories of the configuration: {}", link_reason()))
          .with_safe("both are kept, nothing was changed")
          .with_next("hvctl info on both nodes shows which");
    default: break;
  }
  Error error = Error(ErrorCode::no_authority, fmt::format("a change of the shared configuration needs both nodes: {}", link_reason()))
                    .with_safe("nothing was changed; running VMs are not concerned");
  if (!connected_) return std::move(error).with_next("systemctl start corosync");
  return std::move(error).with_next(
      fmt::format("on {0}: systemctl start corosync mcvd; only if {0} is powered off: hvctl cluster confirm-down {0}", peer_name()));
}

void LogMachine::fail(Error error) {
  failed_ = Error(ErrorCode::io_error, fmt::format("the store failed: {}", error.message()))
                .with_safe("guests go on; this daemon takes no more changes before a restart")
                .with_next(error.code() == ErrorCode::disk_full ? "df -h /var/lib/mcv, free some space, then systemctl restart mcvd" : "systemctl restart mcvd");
  std::vector<Ticket> tickets;
  for (const auto& [ticket, waiting] : waiting_) tickets.push_back(ticket);
  for (const Ticket ticket : tickets) {
    const Waiting& waiting = waiting_.at(ticket);
    // A local commit whose fsync failed may be on the disk or not.
    const bool maybe = waiting.placed || ticket == local_;
    if (ticket == local_) local_ = 0;
    answer(ticket, maybe ? unknown(waiting) : *failed_);
  }
  answer(std::exchange(local_, 0), *failed_);
  output_.failed = *failed_;
  end_session();
}

// --- contact -----------------------------------------------------------------------------------------------

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
  send({{"type", "hello"}, {"protocol", protocol_version}, {"format", known_format}, {"nonce", own_nonce_}});
}

void LogMachine::message(host::NodeId sender, std::string_view bytes) {
  if (failed_ || !greeted_ || (sender != own_id_ && sender != peer_id_)) return;
  const std::size_t end = std::min(bytes.find('\n'), bytes.size());
  const auto header = parse_json(bytes.substr(0, end));
  if (!header.ok() || !header->is_object()) return;
  try {
    dispatch(sender, *header, bytes.substr(std::min(end + 1, bytes.size())));
  } catch (const Json::exception&) {
    // A field of the wrong type: not from a build that speaks this protocol. Handlers read before they change anything.
  }
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
  if (nonce == peer_nonce_) return;
  end_session();
  if (protocol != protocol_version) {
    incompatible_ = fmt::format("{} speaks version {} of the protocol, this node version {}: install the same package on both", peer_name(), protocol, protocol_version);
    return route_all();
  }
  peer_nonce_ = nonce;
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
  const std::string text = canonical(image_.to_json(sent_entries));
  const std::size_t parts = (text.size() + part_bytes - 1) / part_bytes;
  for (std::size_t part = 0; part < parts; ++part) {
    send({{"type", "state"}, {"session", session_}, {"part", part}, {"parts", parts}}, text.substr(part * part_bytes, part_bytes));
  }
  send_synced();
}

void LogMachine::on_state(const Json& header, std::string_view payload) {
  if (!taking_state_) return;
  const auto part = header.value("part", std::size_t{0});
  const auto parts = header.value("parts", std::size_t{0});
  parts_[part] = payload;
  if (parts_.size() < parts) return;
  taking_state_ = false;
  std::string text;
  for (const auto& [number, bytes] : std::exchange(parts_, {})) text += bytes;
  auto json = parse_json(text);
  auto image = json.ok() ? LogImage::from_json(*json) : Result<LogImage>(json.error());
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
    return Json{{"committed", standing->committed}, {"counter", record.ref.counter}, {"uuid", record.ref.uuid}, {"taken_by", record.taken_by},
                {"proof", record.proof}, {"base_index", record.base_index}};
  };
  Persist step = facts();
  step.essential = true;
  step.diverged = Json{{"reason", reason}, {"peer_name", peer_name()}, {"own", describe(own_standing_)}, {"peer", describe(peer_standing_)}};
  persist(std::move(step), After::diverge);
}

void LogMachine::send_synced() {
  send({{"type", "synced"}, {"session", session_}, {"position", position_to_json(position())}, {"state", image_.state.hash()}});
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

// --- one entry ---------------------------------------------------------------------------------------------

void LogMachine::on_propose(host::NodeId sender, const Json& header, std::string_view payload) {
  if (!together_) return;
  queue_.push_back({sender, header.value("ticket", Ticket{0}), header.value("format", std::uint64_t{0}), std::string(payload)});
}

void LogMachine::start_head() {
  Head head;
  head.proposal = std::move(queue_.front());
  queue_.pop_front();
  head.entry.index = image_.committed_index + 1;
  Status status = success();
  auto change = Change::decode(head.proposal.bytes);
  if (head.proposal.format > known_format) {
    status = Error(ErrorCode::format_unknown, fmt::format("{} does not know format {} of the configuration", self_, head.proposal.format));
  } else if (!change.ok()) {
    status = change.error();
  } else if (ids_.contains(change->id)) {
    status = Error(ErrorCode::already_exists, fmt::format("the change {} was applied already", change->id));
  } else {
    status = check_format(*change);
    if (status.ok()) status = image_.state.check(*change);
  }
  if (change.ok()) head.change = std::move(*change);
  head_ = std::move(head);
  if (!status.ok()) return send_about_head("refuse", {{"error", error_to_json(status.error())}});
  head_->entry = make_entry(head_->entry.index, image_.generations.back().ref, EntryKind::change, head_->change.id, head_->proposal.bytes, image_.committed_hash);
  Persist step = facts();
  step.append.push_back(head_->entry);
  persist(std::move(step), After::append);
}

void LogMachine::send_about_head(const char* type, Json more) {
  more["type"] = type;
  more["session"] = session_;
  more["index"] = head_->entry.index;
  more["proposer"] = head_->proposal.proposer;
  more["ticket"] = head_->proposal.ticket;
  send(std::move(more));
}

bool LogMachine::is_head(const Json& header) const {
  return head_ && header.value("index", std::uint64_t{0}) == head_->entry.index &&
         header.value("proposer", host::NodeId{0}) == head_->proposal.proposer && header.value("ticket", Ticket{0}) == head_->proposal.ticket;
}

void LogMachine::on_ack(host::NodeId sender, const Json& header) {
  if (!is_head(header) || head_->refused || !head_->appended) return;
  if (header.value("hash", "") != head_->entry.hash) {
    return diverge(fmt::format("the nodes made different entries of the same change at index {}", head_->entry.index));
  }
  head_->acked.insert(sender);
  if (head_->acked.size() == 2) commit_head();
}

void LogMachine::commit_head() {
  Persist step = facts();
  step.essential = true;
  auto next = with_tentative(head_->entry.index, step);
  if (!next.ok()) return fail(std::move(next).error());
  step.committed_index = head_->entry.index;
  step.committed_hash = head_->entry.hash;
  if (image_.log.begin()->first + 2 * kept_entries < step.committed_index) step.compact_below = step.committed_index - kept_entries;
  next_state_ = std::move(*next);
  persist(std::move(step), After::commit);
}

void LogMachine::on_refuse(const Json& header) {
  if (!is_head(header) || head_->refused) return;
  head_->refused = error_from_json(header.value("error", Json::object()));
  if (!head_->appended) return send_about_head("aborted", Json::object());
  Persist step = facts();
  step.essential = true;
  step.drop_above = head_->entry.index - 1;
  persist(std::move(step), After::abort);
}

void LogMachine::on_aborted(host::NodeId sender, const Json& header) {
  if (!is_head(header) || !head_->refused) return;
  head_->aborted.insert(sender);
  if (head_->aborted.size() < 2) return;
  const Head done = std::move(*head_);
  head_.reset();
  lingering_.erase(done.change.id);
  if (!is_waiting(done.proposal)) return;
  const auto known = ids_.find(done.change.id);
  if (known != ids_.end()) return answer(done.proposal.ticket, committed_at(known->second, true));
  answer(done.proposal.ticket, *done.refused);
}

Result<ClusterState> LogMachine::with_tentative(std::uint64_t limit, Persist& step) const {
  ClusterState state = image_.state;
  std::vector<Change> changes;
  for (auto entry = image_.log.upper_bound(image_.committed_index); entry != image_.log.end() && entry->first <= limit; ++entry) {
    if (entry->second.kind == EntryKind::generation) continue;
    MCV_TRY(Change change, Change::decode(entry->second.bytes));
    if (auto status = state.apply(change, entry->first); !status.ok()) {
      return Error(ErrorCode::store_corrupt, fmt::format("entry {} was checked and does not apply: {}", entry->first, status.error().message()));
    }
    changes.push_back(std::move(change));
  }
  for (const Change& change : changes) add_rows(step, state, change);
  return state;
}

void LogMachine::send(Json header, const std::string& payload) {
  std::string bytes = canonical(header);
  if (!payload.empty()) bytes += '\n' + payload;
  output_.messages.push_back(std::move(bytes));
}

// --- facts -------------------------------------------------------------------------------------------------

LinkState LogMachine::link() const {
  if (failed_) return LinkState::failed;
  if (image_.generations.empty()) return LinkState::uninitialised;
  if (own_id_ == 0 && !image_.state.nodes().empty()) return LinkState::removed;
  if (peer_id_ == 0) return LinkState::single;
  if (image_.diverged) return LinkState::diverged;
  if (together_) return LinkState::together;
  if (image_.alone && session_.empty()) return LinkState::alone;
  if (peer_present() && incompatible_.empty()) return LinkState::syncing;
  return LinkState::apart;
}

std::string LogMachine::link_reason() const {
  if (failed_) return failed_->message();
  if (image_.diverged) return image_.diverged->value("reason", "");
  if (!incompatible_.empty()) return incompatible_;
  if (peer_id_ == 0 || together_) return {};
  if (!connected_) {
    return lost_reason_.empty() ? "this node is not connected to corosync yet" : fmt::format("this node is not connected to corosync ({})", lost_reason_);
  }
  if (!peer_present()) return fmt::format("{} is not in contact", peer_name());
  return fmt::format("comparing configurations with {}", peer_name());
}

std::optional<Json> LogMachine::with_tentative(Kind kind, const std::string& key) const {
  const auto value = [&](const ClusterState& state) {
    const ClusterState::Entry* entry = state.find(kind, key);
    return entry == nullptr ? std::nullopt : std::optional(entry->value);
  };
  if (image_.last_index() == image_.committed_index) return value(image_.state);
  Persist ignored;
  const auto state = with_tentative(image_.last_index(), ignored);
  return state.ok() ? value(*state) : std::nullopt;
}

Position LogMachine::position() const {
  Position position;
  if (!image_.generations.empty()) position.generation = image_.generations.back().ref;
  position.index = image_.committed_index;
  position.hash = image_.committed_hash;
  return position;
}

Committed LogMachine::committed_at(std::uint64_t index, bool both) const {
  Committed committed;
  static_cast<Position&>(committed) = position();
  committed.on_both_nodes = both;
  if (const auto entry = image_.log.find(index); entry != image_.log.end()) {
    committed.generation = entry->second.generation;
    committed.index = index;
    committed.hash = entry->second.hash;
  }
  return committed;
}

Outcome LogMachine::outcome(const std::string& id) const {
  const std::size_t at = id.rfind('@');
  const std::string plain = id.substr(0, at);
  std::uint64_t asked_at = 0;
  if (at != std::string::npos) std::from_chars(id.data() + at + 1, id.data() + id.size(), asked_at);
  if (const auto known = ids_.find(plain); known != ids_.end()) {
    if (known->second > image_.committed_index) return {ChangeOutcome::undecided, {}};
    return {ChangeOutcome::committed, committed_at(known->second, false)};
  }
  const LinkState state = link();
  const bool settled = state == LinkState::single || state == LinkState::alone || state == LinkState::together;
  bool on_its_way = lingering_.contains(plain) || (head_ && head_->change.id == plain);
  for (const auto& [ticket, waiting] : waiting_) on_its_way = on_its_way || waiting.change.id == plain;
  // Without contact the peer may hold it as tentative, and whoever takes a generation adopts what it holds.
  if (!settled || on_its_way) return {ChangeOutcome::undecided, {}};
  const std::uint64_t first_kept = image_.log.empty() ? image_.committed_index + 1 : image_.log.begin()->first;
  if (asked_at + 1 < first_kept) return {ChangeOutcome::forgotten, {}};
  return {ChangeOutcome::not_applied, {}};
}

}  // namespace mcv
