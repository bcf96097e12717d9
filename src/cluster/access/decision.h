// SPDX-License-Identifier: Apache-2.0
// May this account do that? Pure: asked at dispatch, again before anything is carried out, on whichever node that is, and by
// `hvctl explain permission`.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/access/permission.h"
#include "cluster/model/access_records.h"
#include "cluster/model/cluster_state.h"

namespace mcv::access {

/// Who asks, as the node says that was entered: the kernel names the uid (SO_PEERCRED), the system's accounts its name.
struct Identity {
  std::uint32_t uid = static_cast<std::uint32_t>(-1);
  std::optional<UserName> name = {};  ///< nothing: no account has this uid, or its name is none that can be a user here
  friend bool operator==(const Identity&, const Identity&) = default;

  bool is_root() const { return uid == 0; }
};
/// "root", "alice", "uid 1001".
std::string to_text(const Identity& identity);

/// What a permission is asked for.
class Scope {
 public:
  /// All of it: what is no VM's, and what may be any VM's.
  static Scope cluster() { return Scope(Kind::cluster, {}); }
  static Scope vm(VmName name) { return Scope(Kind::vm, std::move(name)); }
  /// Whatever is judged one by one afterwards: a list, VMs that a body names.
  static Scope somewhere() { return Scope(Kind::somewhere, {}); }

  bool is_cluster() const { return kind_ == Kind::cluster; }
  bool is_somewhere() const { return kind_ == Kind::somewhere; }
  const VmName* vm() const { return kind_ == Kind::vm ? &name_ : nullptr; }
  friend bool operator==(const Scope&, const Scope&) = default;

 private:
  enum class Kind { cluster, vm, somewhere };
  Scope(Kind kind, VmName name) : kind_(kind), name_(std::move(name)) {}
  Kind kind_;
  VmName name_;
};

struct Decision {
  bool allowed = false;
  std::string reason;  ///< a sentence, allowed or not
  std::string next;    ///< what to type when it is not

  /// `permission_denied` unless it is allowed. The same for a VM that is not there: nobody learns names by asking.
  Status to_status() const;
};
Decision may(const ClusterState& state, const Identity& who, Permission permission, const Scope& scope);

/// A role that holds now, and how it came.
struct HeldRole {
  Role role = Role::viewer;
  std::optional<VmName> vm;          ///< nothing: everywhere
  std::optional<GroupName> through;  ///< nothing: given to the user
  friend bool operator==(const HeldRole&, const HeldRole&) = default;
};
/// Of VMs that are there. Root has none and needs none.
std::vector<HeldRole> roles_of(const ClusterState& state, const Identity& who);

/// The VMs for which a permission is held.
class Sight {
 public:
  Sight(const ClusterState& state, const Identity& who, Permission permission);
  /// Held everywhere: of everything, VM or not.
  bool everything() const { return everything_; }
  bool covers(const VmName& vm) const { return everything_ || vms_.contains(vm); }

 private:
  bool everything_ = false;
  std::set<VmName> vms_;
};

}  // namespace mcv::access
