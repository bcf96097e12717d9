// SPDX-License-Identifier: Apache-2.0
// What corosync delivers, and what the other daemon tells of itself: its build may be another one.
#include "cluster/authority/alone_since.h"
#include "cluster/authority/consent.h"
#include "cluster/authority/leave.h"
#include "cluster/model/audit_row.h"
#include "cluster/model/observation.h"
#include "cluster/model/pending_delete.h"
#include "cluster/model/removal.h"
#include "cluster/plan/operation_state.h"
#include "cluster/plan/step_dispatcher.h"
#include "cluster/store/log_machine.h"
#include "cluster/store/record_message.h"
#include "cluster/store/suspects.h"
#include "cluster/store/verify_run_record.h"
#include "daemon/join/hex.h"
#include "daemon/join/join_facts.h"
#include "daemon/join/reservation.h"
#include "log_pair.h"
#include "targets.h"

namespace mcv::fuzz {
namespace {

using test::LogPair;

const LogPair& met_pair() {
  static const LogPair pair;
  return pair;
}

/// Somebody in the group says this in B's name; the bytes 0x1e are between messages.
void group_messages(std::string_view text) {
  LogPair pair = met_pair();
  must(pair.together(), "two nodes of one history meet");
  while (!text.empty()) {
    const std::size_t end = text.find('\x1e');
    pair.say(2, std::string(text.substr(0, end)));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  // Not that both hold the same: who speaks in the name of a node can part the two. What each holds is whole.
  for (const LogMachine* machine : {&pair.a(), &pair.b()}) must(machine->image().verify().ok(), "a log continues entry by entry");
}

void record_messages(std::string_view text) {
  const auto json = parse_json(text);
  if (!json.ok()) return;
  const auto message = RecordMessage::from_json(*json);
  if (!message.ok()) return;
  for (const NodeOwnedRecord& record : message->records) must(record.node == message->node && record.stream == message->stream, "a pushed record is of the stream that is pushed");
}

template <typename Value>
void written_again(const Json& json) {
  const auto value = Value::from_json(json);
  if (value.ok()) must(Value::from_json(value->to_json()).ok(), "what was read can be written and read");
}

/// A whole configuration and what is told of one: the state of a joiner, of a meeting, of a choice between two.
void histories(std::string_view text) {
  const auto json = parse_json(text);
  if (!json.ok()) return;
  written_again<GenerationRecord>(*json);
  written_again<History>(*json);
  const auto standing = Standing::from_json(*json);
  if (standing.ok()) static_cast<void>(reunite(*standing, full_standing_of(met_pair().a().image())));
  auto image = LogImage::from_json(*json, newest_format);
  if (!image.ok()) return;
  must(History::from_json(history_above(*image, 0).to_json()).ok(), "a history can be told");
  LogMachine machine("A", LogImage());
  machine.adopt(1, std::move(*image));
  test::work_off(machine);
}

/// Bodies of the peer link, each by every reader.
void peer_bodies(std::string_view text) {
  static_cast<void>(join::bytes_of_hex(text));
  const auto json = parse_json(text);
  if (!json.ok()) return;
  const auto facts = node_facts_from_json(*json);
  if (facts.ok()) must(node_facts_from_json(to_json(*facts)).ok(), "facts that were read can be told");
  const auto join_facts = join::join_facts_from_json(*json);
  if (join_facts.ok()) must(join::join_facts_from_json(join::to_json(*join_facts)).ok(), "a joiner's facts that were read can be told");
  written_again<StepCall>(*json);
  written_again<Plan>(*json);
  written_again<JournalEntry>(*json);
  written_again<RemovedNode>(*json);
  written_again<PendingDelete>(*json);
  written_again<join::Reserved>(*json);
}

/// The bodies of records that the other node wrote alone.
void node_records(std::string_view text) {
  const auto json = parse_json(text);
  if (!json.ok()) return;
  written_again<AuditEnd>(*json);
  written_again<Suspect>(*json);
  written_again<VerifyRun>(*json);
  written_again<authority::Consent>(*json);
  written_again<authority::Leave>(*json);
  written_again<authority::LeftRecord>(*json);
  written_again<authority::AloneSince>(*json);
  const auto row = AuditRow::from_json(*json);
  if (!row.ok()) return;
  AuditFilter filter;
  filter.vm = "vm1";
  must(audit_view({*row, *row}, {}, filter).size() <= 2, "no row is made up");
}

}  // namespace

std::vector<Target> group_targets() {
  return {{"group-messages", group_messages, {}}, {"record-messages", record_messages, {}}, {"histories", histories, {}}, {"peer-bodies", peer_bodies, {}}, {"node-records", node_records, {}}};
}

}  // namespace mcv::fuzz
