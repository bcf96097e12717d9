// SPDX-License-Identifier: Apache-2.0
// One type per kind of name: arguments cannot be swapped, and a name that exists was checked.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "cluster/core/result.h"

namespace mcv {

/// Letters, digits, '-', '_' and '.', beginning with a letter or digit, at most `limit` bytes. These names become
/// LV names, unit names, file names and DRBD resource names, which is where the alphabet and the limit come from.
Status check_name(std::string_view what, std::string_view text, std::size_t limit);
/// The name of an account, as the system spells it: letters, digits, '_', '-', '.' and '@', beginning with a letter or '_', so
/// that it is neither a number nor an option to a tool that looks it up.
Status check_user_name(std::string_view text);

template <typename Tag>
class Name {
 public:
  static Result<Name> parse(std::string_view text) {
    Status status = success();
    if constexpr (requires { Tag::check(text); }) status = Tag::check(text);
    else status = check_name(Tag::what, text, Tag::limit);
    if (!status.ok()) return std::move(status).error();
    return Name(std::string(text));
  }
  /// For names already checked: from the store, from a constant. A bad one is a defect.
  static Name trusted(std::string text) { return Name(std::move(text)); }

  Name() = default;
  const std::string& str() const { return text_; }
  bool empty() const { return text_.empty(); }
  friend auto operator<=>(const Name&, const Name&) = default;

 private:
  explicit Name(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

struct VmNameTag { static constexpr std::string_view what = "VM name"; static constexpr std::size_t limit = 40; };
struct NodeNameTag { static constexpr std::string_view what = "node name"; static constexpr std::size_t limit = 63; };
struct NetworkNameTag { static constexpr std::string_view what = "network name"; static constexpr std::size_t limit = 40; };
struct PoolNameTag { static constexpr std::string_view what = "storage pool name"; static constexpr std::size_t limit = 40; };
struct UserNameTag {
  static constexpr std::string_view what = "user name";
  static constexpr std::size_t limit = 64;
  static Status check(std::string_view text) { return check_user_name(text); }
};
struct GroupNameTag { static constexpr std::string_view what = "group name"; static constexpr std::size_t limit = 40; };
struct VolumeNameTag { static constexpr std::string_view what = "volume name"; static constexpr std::size_t limit = 60; };

using VmName = Name<VmNameTag>;
using NodeName = Name<NodeNameTag>;
using NetworkName = Name<NetworkNameTag>;
using PoolName = Name<PoolNameTag>;
using UserName = Name<UserNameTag>;
using GroupName = Name<GroupNameTag>;
/// "vm1-0": the VM's name and the index of the disk. Also the LV, the DRBD resource and the .res file name
/// (each with the prefix "mcv-").
using VolumeName = Name<VolumeNameTag>;

/// Operation id: "<node>-<number>", unique over both nodes because the node is in it.
struct OperationIdTag { static constexpr std::string_view what = "operation id"; static constexpr std::size_t limit = 90; };
using OperationId = Name<OperationIdTag>;

}  // namespace mcv

template <typename Tag>
struct std::hash<mcv::Name<Tag>> {
  std::size_t operator()(const mcv::Name<Tag>& name) const { return std::hash<std::string>{}(name.str()); }
};
