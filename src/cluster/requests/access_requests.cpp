// SPDX-License-Identifier: Apache-2.0
#include "cluster/requests/access_requests.h"

namespace mcv::requests {
namespace {

template <typename NameType>
NameType name_field(Fields& fields, const std::string& text) {
  auto name = NameType::parse(text);
  if (name.ok()) return *name;
  fields.fail(name.error());
  return NameType{};
}

}  // namespace

Result<AddUser> add_user(const Json& body) {
  Fields fields(body, "user");
  AddUser request;
  request.name = name_field<UserName>(fields, fields.required<std::string>("name"));
  MCV_CHECK(fields.finish());
  return request;
}

Result<CreateGroup> create_group(const Json& body) {
  Fields fields(body, "group");
  CreateGroup request;
  request.name = name_field<GroupName>(fields, fields.required<std::string>("name"));
  MCV_CHECK(fields.finish());
  return request;
}

Result<AddMember> add_member(const Json& body) {
  Fields fields(body, "member");
  AddMember request;
  request.user = name_field<UserName>(fields, fields.required<std::string>("user"));
  MCV_CHECK(fields.finish());
  return request;
}

Result<Grant> grant(const Json& body) {
  Fields fields(body, "grant");
  Grant request;
  auto role = role_from_text(fields.required<std::string>("role"));
  if (role.ok()) request.role = *role;
  else fields.fail(role.error());
  const auto user = fields.optional<std::string>("user");
  const auto group = fields.optional<std::string>("group");
  if (user.has_value() == group.has_value()) fields.fail(Error(ErrorCode::bad_request, "a role is given to a user or to a group: name one of the two"));
  else if (user) request.grantee = name_field<UserName>(fields, *user);
  else request.grantee = name_field<GroupName>(fields, *group);
  if (const auto vm = fields.optional<std::string>("vm")) request.vm = name_field<VmName>(fields, *vm);
  MCV_CHECK(fields.finish());
  return request;
}

}  // namespace mcv::requests
