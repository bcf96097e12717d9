// SPDX-License-Identifier: Apache-2.0
// JSON, sizes, names, the connect string and the configuration's records.
#include "cluster/core/json_list.h"
#include "cluster/core/names.h"
#include "cluster/core/units.h"
#include "cluster/membership/ring_members.h"
#include "cluster/model/access_records.h"
#include "cluster/model/cluster_state.h"
#include "cluster/model/io_hold.h"
#include "cluster/model/records.h"
#include "cluster/model/verify_policy.h"
#include "cluster/peer/connect_string.h"
#include "targets.h"

namespace mcv::fuzz {
namespace {

void json(std::string_view text) {
  const auto parsed = parse_json(text);
  std::size_t items = 0;
  must(parse_json_list(text, "vms", [&items](const Json&) { ++items; }).ok() == parsed.ok(), "a list item by item is refused as the whole of it is");
  if (!parsed.ok()) return;
  const std::string written = canonical(*parsed);
  const auto again = parse_json(written);
  must(again.ok() && canonical(*again) == written, "JSON that was read can be written and read again");
}

void sizes(std::string_view text) {
  const auto size = Bytes::parse(text);
  if (!size.ok()) return;
  const auto again = Bytes::parse(std::to_string(size->count()));
  must(again.ok() && *again == *size, "a size that was read is a number of bytes");
}

void names(std::string_view text) {
  const auto name = VmName::parse(text);
  if (name.ok()) must(!name->str().empty() && name->str().find('/') == std::string::npos && name->str().front() != '-', "a name is no path and no option");
  static_cast<void>(NodeName::parse(text));
  static_cast<void>(VolumeName::parse(text));
  static_cast<void>(PoolName::parse(text));
  static_cast<void>(NetworkName::parse(text));
  static_cast<void>(GroupName::parse(text));
  const auto user = UserName::parse(text);
  if (user.ok()) must(user->str().front() != '-' && user->str().find_first_of(": \n/") == std::string::npos, "a user's name is a field of a line and no option");
}

void connect_string(std::string_view text) {
  const auto value = parse_connect_string(text);
  if (!value.ok()) return;
  const auto again = parse_connect_string(encode_connect_string(*value));
  must(again.ok() && *again == *value, "a connect string that was taken is written as it was read");
}

template <typename Record>
void one_record(const Json& value) {
  const auto record = Record::from_json(value);
  if (record.ok()) must(Record::from_json(record->to_json()).ok(), "a record that was read can be written and read");
}

void records(std::string_view text) {
  const auto value = parse_json(text);
  if (!value.ok()) return;
  one_record<NodeRecord>(*value);
  one_record<PoolRecord>(*value);
  one_record<NetworkRecord>(*value);
  one_record<VolumeRecord>(*value);
  one_record<VmRecord>(*value);
  one_record<UserRecord>(*value);
  one_record<GroupRecord>(*value);
  one_record<GrantRecord>(*value);
}

void changes(std::string_view text) {
  const auto change = Change::decode(text);
  if (!change.ok()) return;
  ClusterState state;
  if (state.apply(*change, 1).ok()) must(state.hash() == state.hash(), "a state has one hash");
}

void ring_members(std::string_view text) {
  const auto members = parse_ring_members(text);
  if (members) must(members->size() <= text.size(), "members are in the text");
}

void io_hold(std::string_view text) { must(IoHold::parse(IoHold::parse(text).words()) == IoHold::parse(text), "what holds I/O is said as it was read"); }

void calendar(std::string_view text) {
  if (is_calendar_text(text)) must(text.find('\n') == std::string_view::npos, "a calendar is one line of a unit's file");
}

}  // namespace

std::vector<Target> cluster_targets() {
  return {
      {"json", json, {"ch/vm_config_kernel.json", "lvm/lvs.json"}},
      {"sizes", sizes, {}},
      {"names", names, {}},
      {"connect-string", connect_string, {}},
      {"records", records, {}},
      {"changes", changes, {}},
      {"ring-members", ring_members, {}},
      {"io-hold", io_hold, {}},
      {"calendar", calendar, {}},
  };
}

}  // namespace mcv::fuzz
