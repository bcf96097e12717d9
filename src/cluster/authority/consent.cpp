// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/consent.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "cluster/authority/standpoint.h"

namespace mcv::authority {
namespace {

Error refused(ErrorCode code, std::string why) {
  return Error(code, std::move(why)).with_safe("nothing was changed; what is held stays held").with_next("hvctl drbd list; hvctl info");
}

Status check_agreement(const ConsentQuestion& question) {
  const Standpoint& standpoint = question.standpoint;
  if (standpoint.link != LinkState::together) return refused(ErrorCode::no_authority, "the daemons do not share their configuration now");
  if (!(question.agreed == question.asked)) return refused(ErrorCode::no_authority, "the daemons do not agree on the generation");
  if (question.owner != standpoint.peer) {
    return refused(ErrorCode::no_authority, fmt::format("{} does not belong to a VM of {}", question.volume.str(), standpoint.peer.str()));
  }
  if (question.asks_itself) return refused(ErrorCode::busy, fmt::format("{} itself asks about {}", standpoint.self.str(), question.volume.str()));
  return success();
}

bool is_broken(ConnectionState connection) { return connection == ConnectionState::connecting || connection == ConnectionState::standalone; }

}  // namespace

Status check_not_newer(const Standpoint& standpoint, const VolumeName& name, const VolumeFacts& here) {
  const std::string& volume = name.str();
  if (standpoint.ledger.stands(standpoint.self, name)) {
    return refused(ErrorCode::not_up_to_date, fmt::format("{} went on alone with {}: its copy is the newer one", standpoint.self.str(), volume));
  }
  if (standpoint.consents.stands(standpoint.peer, name)) {
    return refused(ErrorCode::not_up_to_date, fmt::format("{} let {} go on with {}: its own copy is the older one", standpoint.peer.str(), standpoint.self.str(), volume));
  }
  const DiskState there = here.peer_disk;
  if (here.connection != ConnectionState::connected && (there == DiskState::outdated || there == DiskState::inconsistent)) {
    return refused(ErrorCode::not_up_to_date, fmt::format("DRBD on {} knows the copy of {} on {} as {}", standpoint.self.str(), volume, standpoint.peer.str(), to_text(there)));
  }
  return success();
}

Json Consent::to_json() const {
  Json json = {{"volume", volume.str()}, {"to", to.str()}, {"counter", generation.counter}, {"uuid", generation.uuid}, {"index", index}, {"boot", boot}};
  if (!cause.empty()) json["cause"] = cause;
  return json;
}

Result<Consent> Consent::from_json(const Json& json) {
  Fields fields(json, consent_kind);
  Consent consent;
  consent.volume = VolumeName::trusted(fields.required<std::string>("volume"));
  consent.to = NodeName::trusted(fields.required<std::string>("to"));
  consent.generation.counter = fields.required<std::uint64_t>("counter");
  consent.generation.uuid = fields.required<std::string>("uuid");
  consent.index = fields.required<std::uint64_t>("index");
  consent.boot = fields.required<std::string>("boot");
  consent.cause = fields.optional_or<std::string>("cause", "");
  MCV_CHECK(fields.finish_lenient());
  return consent;
}

ConsentLedger::ConsentLedger(const std::vector<NodeOwnedRecord>& given, const std::vector<NodeOwnedRecord>& withdrawn) {
  for (const NodeOwnedRecord& record : given) {
    Entry entry{record.node, record.stream, record.number, {}, true};
    auto read = Consent::from_json(record.body);
    if (read.ok()) entry.consent = std::move(*read);
    else entry.readable = false;
    entries_.push_back(std::move(entry));
  }
  for (const NodeOwnedRecord& record : withdrawn) {
    Fields fields(record.body, consent_withdrawn_kind);
    auto volumes = fields.required<std::vector<std::string>>("volumes");
    // What cannot be read withdraws nothing.
    if (fields.finish_lenient().ok()) withdrawn_.push_back({record.node, record.stream, record.number, std::move(volumes)});
  }
}

bool ConsentLedger::is_withdrawn(const Entry& entry, const VolumeName& volume) const {
  return std::any_of(withdrawn_.begin(), withdrawn_.end(), [&](const Withdrawn& later) {
    return later.node == entry.node && later.stream == entry.stream && later.number > entry.number &&
           std::find(later.volumes.begin(), later.volumes.end(), volume.str()) != later.volumes.end();
  });
}

bool ConsentLedger::stands(const NodeName& giver, const VolumeName& volume) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.node == giver.str() && (!entry.readable || entry.consent.volume == volume) && !is_withdrawn(entry, volume);
  });
}

std::vector<VolumeName> ConsentLedger::standing(const NodeName& giver) const {
  std::set<VolumeName> found;
  for (const Entry& entry : entries_) {
    if (entry.node == giver.str() && entry.readable && !is_withdrawn(entry, entry.consent.volume)) found.insert(entry.consent.volume);
  }
  return {found.begin(), found.end()};
}

Status may_ask_for_consent(const Standpoint& standpoint, const VolumeName& volume, const NodeName& owner, const VolumeFacts* here) {
  if (standpoint.link != LinkState::together || standpoint.peer.empty()) return refused(ErrorCode::no_authority, "the daemons do not share their configuration now");
  if (owner != standpoint.self) return refused(ErrorCode::no_authority, fmt::format("{} does not belong to a VM of this node", volume.str()));
  // Consistent: attached since the copies were last connected. Whatever happened since is in the records below, or the kernel
  // would call this copy outdated.
  if (here == nullptr || (here->disk != DiskState::up_to_date && here->disk != DiskState::consistent)) {
    return refused(ErrorCode::not_up_to_date, fmt::format("the copy of {} here is not whole, or not attached", volume.str()));
  }
  if (standpoint.ledger.stands(standpoint.peer, volume)) return refused(ErrorCode::not_up_to_date, fmt::format("{} went on alone with {}", standpoint.peer.str(), volume.str()));
  if (standpoint.consents.stands(standpoint.self, volume)) return set_aside_error(volume, standpoint.peer);
  return success();
}

Result<ConsentStep> may_consent(const ConsentQuestion& question) {
  MCV_CHECK(check_agreement(question));
  const VolumeFacts* here = question.here;
  if (here == nullptr) return refused(ErrorCode::not_found, fmt::format("what DRBD does with {} on {} is not known", question.volume.str(), question.standpoint.self.str()));
  if (here->role != DiskRole::secondary) {
    return refused(ErrorCode::peer_is_primary, fmt::format("{} is {} on {}", question.volume.str(), to_text(here->role), question.standpoint.self.str()));
  }
  MCV_CHECK(check_not_newer(question.standpoint, question.volume, *here));
  if (!is_broken(here->connection)) return ConsentStep::wait;
  switch (here->disk) {
    case DiskState::up_to_date:
    case DiskState::consistent: return ConsentStep::outdate;
    case DiskState::outdated:
    case DiskState::inconsistent: return ConsentStep::already_older;
    case DiskState::diskless:
      if (question.standpoint.consents.stands(question.standpoint.self, question.volume)) return ConsentStep::no_disk;
      [[fallthrough]];
    // A leg without metadata cannot be marked: nothing would hold it back after a reboot but this daemon.
    default: return refused(ErrorCode::not_up_to_date, fmt::format("the disk of {} on {} is {}", question.volume.str(), question.standpoint.self.str(), to_text(here->disk)));
  }
}

bool is_set_aside(const VolumeFacts* here) {
  if (here == nullptr || here->role != DiskRole::secondary) return false;
  return here->disk == DiskState::outdated || here->disk == DiskState::inconsistent || here->disk == DiskState::diskless;
}

std::vector<VolumeName> consent_to_withdraw(const Standpoint& standpoint, const ClusterState& state, const std::map<std::string, VolumeFacts>& here) {
  std::vector<VolumeName> done;
  for (const VolumeName& volume : standpoint.consents.standing(standpoint.self)) {
    const auto facts = here.find(volume.str());
    const bool gone = !is_replicated(state, volume);
    // The kernel's own word: this copy has everything the other one has. The daemons need not agree for that.
    const bool equal = facts != here.end() && facts->second.redundant() && facts->second.replication == ReplicationState::established;
    if (gone || equal) done.push_back(volume);
  }
  return done;
}

std::vector<std::uint64_t> ended_consents(const std::vector<NodeOwnedRecord>& given, const std::vector<NodeOwnedRecord>& withdrawn) {
  std::vector<std::uint64_t> numbers;
  for (const NodeOwnedRecord& record : given) {
    const auto consent = Consent::from_json(record.body);
    if (!consent.ok()) continue;
    const ConsentLedger alone({record}, withdrawn);
    if (!alone.stands(NodeName::trusted(record.node), consent->volume)) numbers.push_back(record.number);
  }
  // A withdrawal goes only with everything it may end: without it what is left would stand again.
  if (numbers.size() != given.size()) return numbers;
  for (const NodeOwnedRecord& record : withdrawn) numbers.push_back(record.number);
  return numbers;
}

Error set_aside_error(const VolumeName& volume, const NodeName& peer) {
  return Error(ErrorCode::not_up_to_date, fmt::format("volume {}: {} went on with it without the copy here, which is older", volume.str(), peer.str()))
      .with_safe("this copy was not opened for writing")
      .with_next(fmt::format("bring {} and the replication link back: this copy is then resynchronised by itself (hvctl drbd list shows it, and whether DRBD has its disk)", peer.str()));
}

}  // namespace mcv::authority
