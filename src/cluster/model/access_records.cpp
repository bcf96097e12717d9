// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/access_records.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "cluster/core/json_value.h"

namespace mcv {
namespace {

constexpr std::string_view user_prefix = "user/";
constexpr std::string_view group_prefix = "group/";
constexpr std::string_view grant_prefix = "grant/";
constexpr std::array all_roles = {Role::viewer, Role::operate, Role::owner, Role::administrator};

template <typename NameType>
NameType read_access_name(Fields& fields, const std::string& text) {
  auto name = NameType::parse(text);
  if (name.ok()) return *name;
  fields.fail(name.error());
  return NameType{};
}

/// Those that this build can read: what it cannot read allows nothing.
template <typename Record>
std::vector<Record> records_of(const ClusterState& state, std::string_view prefix) {
  std::vector<Record> list;
  const auto& settings = state.all(Kind::setting);
  for (auto found = settings.lower_bound(std::string(prefix)); found != settings.end() && found->first.starts_with(prefix); ++found) {
    if (auto record = Record::from_json(found->second.value); record.ok() && record->key() == found->first) list.push_back(std::move(*record));
  }
  return list;
}

Mutation put_access(const std::string& key, std::uint64_t expected, Json value) {
  Mutation mutation;
  mutation.kind = Kind::setting;
  mutation.key = key;
  mutation.expected_revision = expected;
  mutation.value = std::move(value);
  return mutation;
}

template <typename Record>
Status check_filed(const std::string& key, const Json& value) {
  MCV_TRY(const Record record, Record::from_json(value));
  if (record.key() == key) return success();
  return Error(ErrorCode::bad_request, fmt::format("what belongs under '{}' is filed under '{}'", record.key(), key));
}

Error not_there(std::string_view kind, const std::string& name, std::string_view next) {
  return Error(ErrorCode::not_found, fmt::format("there is no {} named '{}'", kind, name)).with_safe("nothing was changed").with_next(std::string(next));
}

Error changed_meanwhile(const std::string& what) {
  return Error(ErrorCode::revision_conflict, what + " meanwhile").with_safe("nothing was changed by this request").with_next("repeat the command");
}

Status check_grantee(const ClusterState& after, const Grantee& grantee) {
  if (const auto* user = std::get_if<UserName>(&grantee)) {
    if (!has_user(after, *user)) return not_there("user", user->str(), fmt::format("hvctl user add {}", user->str()));
  } else if (const auto& group = std::get<GroupName>(grantee); !find_group(after, group)) {
    return not_there("group", group.str(), fmt::format("hvctl group create {}", group.str()));
  }
  return success();
}

Status check_put(const ClusterState& after, const std::string& key, const Json& value) {
  if (key.starts_with(group_prefix)) {
    MCV_TRY(const GroupRecord group, GroupRecord::from_json(value));
    for (const UserName& member : group.members) {
      if (!has_user(after, member)) return not_there("user", member.str(), fmt::format("hvctl user add {}", member.str()));
    }
  }
  if (key.starts_with(grant_prefix)) {
    MCV_TRY(const GrantRecord grant, GrantRecord::from_json(value));
    MCV_CHECK(check_grantee(after, grant.grantee));
    if (grant.vm && !is_current(after, *grant.vm)) return not_there("VM", grant.vm->name.str(), "hvctl vm list");
  }
  return success();
}

Status check_erased(const ClusterState& after, const std::string& key) {
  for (const GrantRecord& grant : grants(after)) {
    if (to_path(grant.grantee) == key) return changed_meanwhile(fmt::format("{} was given a role", to_text(grant.grantee)));
  }
  if (!key.starts_with(user_prefix)) return success();
  const std::string name = key.substr(user_prefix.size());
  for (const GroupRecord& group : groups(after)) {
    const bool is_in = std::any_of(group.members.begin(), group.members.end(), [&](const UserName& member) { return member.str() == name; });
    if (is_in) return changed_meanwhile(fmt::format("{} became a member of the group {}", name, group.name.str()));
  }
  return success();
}

}  // namespace

std::string_view to_text(Role role) {
  switch (role) {
    case Role::viewer: return "viewer";
    case Role::operate: return "operator";
    case Role::owner: return "owner";
    case Role::administrator: return "administrator";
  }
  return "";
}

Result<Role> role_from_text(std::string_view text) {
  for (const Role role : all_roles) {
    if (to_text(role) == text) return role;
  }
  return Error(ErrorCode::bad_request, fmt::format("'{}' is not a role; choose viewer, operator, owner or administrator", text.substr(0, 60)));
}

std::string UserRecord::key() const { return fmt::format("{}{}", user_prefix, name.str()); }

Json UserRecord::to_json() const { return {{"name", name.str()}}; }

Result<UserRecord> UserRecord::from_json(const Json& json) {
  Fields fields(json, "user");
  UserRecord user;
  user.name = read_access_name<UserName>(fields, fields.required<std::string>("name"));
  MCV_CHECK(fields.finish_lenient());
  return user;
}

std::string GroupRecord::key() const { return fmt::format("{}{}", group_prefix, name.str()); }

Json GroupRecord::to_json() const {
  Json list = Json::array();
  for (const UserName& member : members) list.push_back(member.str());
  return {{"name", name.str()}, {"members", std::move(list)}};
}

Result<GroupRecord> GroupRecord::from_json(const Json& json) {
  Fields fields(json, "group");
  GroupRecord group;
  group.name = read_access_name<GroupName>(fields, fields.required<std::string>("name"));
  for (const std::string& member : fields.required<std::vector<std::string>>("members")) group.members.push_back(read_access_name<UserName>(fields, member));
  MCV_CHECK(fields.finish_lenient());
  return group;
}

std::string to_path(const Grantee& grantee) {
  if (const auto* user = std::get_if<UserName>(&grantee)) return UserRecord{*user}.key();
  return GroupRecord{std::get<GroupName>(grantee), {}}.key();
}

std::string to_text(const Grantee& grantee) {
  if (const auto* user = std::get_if<UserName>(&grantee)) return user->str();
  return "the group " + std::get<GroupName>(grantee).str();
}

std::string GrantRecord::key() const {
  const std::string everywhere = fmt::format("{}{}/{}", grant_prefix, to_path(grantee), to_text(role));
  return vm ? everywhere + "/" + vm->name.str() : everywhere;
}

Json GrantRecord::to_json() const {
  Json json = {{"role", to_text(role)}};
  if (const auto* user = std::get_if<UserName>(&grantee)) json["user"] = user->str();
  else json["group"] = std::get<GroupName>(grantee).str();
  if (vm) json["vm"] = {{"name", vm->name.str()}, {"uuid", vm->uuid}};
  return json;
}

Result<GrantRecord> GrantRecord::from_json(const Json& json) {
  Fields fields(json, "grant");
  GrantRecord grant;
  auto role = role_from_text(fields.required<std::string>("role"));
  if (role.ok()) grant.role = *role;
  else fields.fail(role.error());
  const auto user = fields.optional<std::string>("user");
  const auto group = fields.optional<std::string>("group");
  if (user.has_value() == group.has_value()) fields.fail(Error(ErrorCode::bad_request, "a grant is to a user or to a group"));
  else if (user) grant.grantee = read_access_name<UserName>(fields, *user);
  else grant.grantee = read_access_name<GroupName>(fields, *group);
  const Json* vm = fields.object("vm", false);
  MCV_CHECK(fields.finish_lenient());
  if (vm == nullptr) return grant;
  Fields one(*vm, "grant.vm");
  GrantedVm granted;
  granted.name = read_access_name<VmName>(one, one.required<std::string>("name"));
  granted.uuid = one.required<std::string>("uuid");
  MCV_CHECK(one.finish_lenient());
  grant.vm = std::move(granted);
  return grant;
}

std::vector<UserRecord> users(const ClusterState& state) { return records_of<UserRecord>(state, user_prefix); }
std::vector<GroupRecord> groups(const ClusterState& state) { return records_of<GroupRecord>(state, group_prefix); }
std::vector<GrantRecord> grants(const ClusterState& state) { return records_of<GrantRecord>(state, grant_prefix); }

std::vector<GrantRecord> grants_to(const ClusterState& state, const Grantee& grantee) { return records_of<GrantRecord>(state, fmt::format("{}{}/", grant_prefix, to_path(grantee))); }

std::optional<GroupRecord> find_group(const ClusterState& state, const GroupName& name) {
  const ClusterState::Entry* entry = state.find(Kind::setting, GroupRecord{name, {}}.key());
  if (entry == nullptr) return std::nullopt;
  auto group = GroupRecord::from_json(entry->value);
  if (!group.ok()) return std::nullopt;
  return std::move(*group);
}

bool has_user(const ClusterState& state, const UserName& name) { return state.find(Kind::setting, UserRecord{name}.key()) != nullptr; }

bool is_current(const ClusterState& state, const GrantedVm& vm) {
  const ClusterState::Entry* entry = state.find(Kind::vm, vm.name.str());
  return entry != nullptr && value_in(entry->value, "uuid", "") == vm.uuid;
}

Mutation put_new(const UserRecord& user) { return put_access(user.key(), 0, user.to_json()); }
Mutation put_new(const GroupRecord& group) { return put_access(group.key(), 0, group.to_json()); }
Mutation put_new(const GrantRecord& grant) { return put_access(grant.key(), 0, grant.to_json()); }
Mutation put_at(const ClusterState& state, const GroupRecord& group) { return put_access(group.key(), state.revision(Kind::setting, group.key()), group.to_json()); }

bool is_access_key(const std::string& key) { return key.starts_with(user_prefix) || key.starts_with(group_prefix) || key.starts_with(grant_prefix); }

bool gives_access(const ClusterState& before, const Mutation& mutation) {
  if (mutation.kind != Kind::setting || !is_access_key(mutation.key) || !mutation.value) return false;
  if (!mutation.key.starts_with(group_prefix)) return true;
  const auto after = GroupRecord::from_json(*mutation.value);
  if (!after.ok()) return true;
  const auto group = find_group(before, after->name);
  const auto is_new = [&](const UserName& member) { return !group || std::find(group->members.begin(), group->members.end(), member) == group->members.end(); };
  return !group || std::any_of(after->members.begin(), after->members.end(), is_new);
}

Status check_access_value(const std::string& key, const Json& value) {
  if (key.starts_with(user_prefix)) return check_filed<UserRecord>(key, value);
  if (key.starts_with(group_prefix)) return check_filed<GroupRecord>(key, value);
  if (key.starts_with(grant_prefix)) return check_filed<GrantRecord>(key, value);
  return success();
}

Status check_access_references(const ClusterState& after, const Mutation& mutation) {
  if (mutation.kind != Kind::setting || !is_access_key(mutation.key)) return success();
  const ClusterState::Entry* entry = after.find(Kind::setting, mutation.key);
  return entry == nullptr ? check_erased(after, mutation.key) : check_put(after, mutation.key, entry->value);
}

}  // namespace mcv
