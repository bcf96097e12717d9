// SPDX-License-Identifier: Apache-2.0
#include "cluster/store/abilities.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <limits>

#include "cluster/model/access_records.h"
#include "cluster/model/peer_loss_policy.h"

namespace mcv {
namespace {

constexpr std::uint64_t nobodys_format = std::numeric_limits<std::uint64_t>::max();

std::uint64_t format_from(const std::optional<Json>& value) {
  if (!value || !value->is_string()) return nobodys_format;
  const auto& text = value->get_ref<const std::string&>();
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  return read.ec == std::errc() && read.ptr == end && number > 0 ? number : nobodys_format;
}

Error not_in_contact(const std::string& node, const std::string& what) {
  return Error(ErrorCode::peer_unreachable, fmt::format("{} is not in contact: whether its build knows {} cannot be asked", node, what))
      .with_safe("nothing was changed")
      .with_next(fmt::format("bring {} back, then repeat the command; hvctl info shows the contact", node));
}

Error older_build(ErrorCode code, const std::string& node, const std::string& what) {
  return Error(code, fmt::format("the build on {} does not know {}", node, what))
      .with_safe("nothing was changed")
      .with_next(fmt::format("on {}: mcvd --version; install the same package as on the other node, then repeat the command", node));
}

Status check_format(std::uint64_t wanted, const ClusterState& before, const Abilities& own, const std::optional<OtherBuild>& other) {
  if (wanted < format_of(before)) return Error(ErrorCode::bad_request, "the format of the configuration is only raised").with_safe("nothing was changed");
  const std::string what = fmt::format("format {} of the configuration", wanted);
  if (wanted > own.format) {
    return Error(ErrorCode::format_unknown, fmt::format("this build knows formats of the configuration up to {}", own.format))
        .with_safe("nothing was changed")
        .with_next("install the same package version on both nodes, then repeat the command");
  }
  if (!other) return success();
  if (!other->knows) return not_in_contact(other->node, what);
  if (wanted > other->knows->format) return older_build(ErrorCode::format_unknown, other->node, what);
  return success();
}

Status check_feature(const char* name, const std::string& what, const std::optional<OtherBuild>& other) {
  if (!other) return success();
  if (!other->knows) return not_in_contact(other->node, what);
  if (!other->knows->features.contains(name)) return older_build(ErrorCode::version_mismatch, other->node, what);
  return success();
}

/// An older build lets in root alone: what is given now would hold on one node. Taking away is always possible, and while the other
/// node is away nothing is risked: what its build does not know allows nothing there.
Status check_gives(const Mutation& mutation, const ClusterState& before, const std::optional<OtherBuild>& other) {
  if (!other || !other->knows || !gives_access(before, mutation)) return success();
  return check_feature(feature::access, "users, groups and grants", other);
}

}  // namespace

std::uint64_t format_of(const ClusterState& state) {
  const ClusterState::Entry* entry = state.find(Kind::setting, format_setting);
  if (entry == nullptr) return 1;
  return format_from(entry->value);
}

std::optional<std::uint64_t> format_set_by(const Change& change) {
  std::optional<std::uint64_t> set;
  for (const Mutation& mutation : change.mutations) {
    if (mutation.kind == Kind::setting && mutation.key == format_setting) set = format_from(mutation.value);
  }
  return set;
}

Status check_abilities(const Change& change, const ClusterState& before, const Abilities& own, const std::optional<OtherBuild>& other) {
  if (const auto wanted = format_set_by(change)) {
    MCV_CHECK(check_format(*wanted, before, own, other));
  }
  for (const Mutation& mutation : change.mutations) {
    const bool runs_alone = mutation.kind == Kind::setting && mutation.key == peer_loss_setting && mutation.value == Json(to_text(PeerLoss::run_alone));
    if (runs_alone && peer_loss(before) != PeerLoss::run_alone) {
      MCV_CHECK(check_feature(feature::run_alone, "the policy run-alone", other));
    }
    MCV_CHECK(check_gives(mutation, before, other));
  }
  return success();
}

Result<std::uint64_t> next_format(const ClusterState& state, const std::string& self, const Abilities& own, const std::optional<OtherBuild>& other) {
  const std::uint64_t present = format_of(state);
  if (!other) return std::max(present, own.format);
  if (!other->knows) return not_in_contact(other->node, "a newer format of the configuration");
  const std::uint64_t both = std::min(own.format, other->knows->format);
  if (both > present) return both;
  const std::uint64_t newest = std::max(own.format, other->knows->format);
  if (newest > present) return older_build(ErrorCode::format_unknown, own.format < newest ? self : other->node, fmt::format("format {} of the configuration", newest));
  return present;
}

}  // namespace mcv
