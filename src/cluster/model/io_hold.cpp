// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/io_hold.h"

#include <algorithm>
#include <fmt/format.h>

namespace mcv {

namespace {

HoldReason reason_of(std::string_view word) {
  for (const HoldReason reason : {HoldReason::fencing, HoldReason::no_data, HoldReason::user}) {
    if (to_text(reason) == word) return reason;
  }
  return HoldReason::unknown;
}

/// `drbdadm resume-io` lifts every hold at once, also one that waits for proof: it is named only when it stands alone.
std::string how_to_resume(bool alone, const std::string& resource) {
  if (alone) return fmt::format("drbdadm resume-io {}", resource);
  return fmt::format("not before the other reason is gone (hvctl drbd list), since it lifts that one too: drbdadm resume-io {}", resource);
}

HoldAdvice advice(HoldReason reason, bool alone, const IoHold& hold, const VolumeName& volume, const std::string& resource) {
  switch (reason) {
    case HoldReason::fencing:
      return {reason, fmt::format("writes to {} are held, none is lost: the other node is not there, and nothing proves that it is off", volume.str()),
              "bring the other node and the replication link back; the writes then go on by themselves (hvctl info says what else decides)"};
    case HoldReason::no_data:
      return {reason, fmt::format("reads and writes of {} are held: neither this node's disk nor the other node's can be reached", volume.str()),
              fmt::format("bring one of the two back: hvctl drbd list shows both, journalctl -k -g {} why; the I/O then goes on by itself", resource)};
    case HoldReason::user:
      return {reason, fmt::format("I/O of {} is held because somebody suspended it (drbdadm suspend-io); mcv does not do that", volume.str()),
              how_to_resume(alone, resource)};
    case HoldReason::unknown: break;
  }
  return {reason, fmt::format("I/O of {} is held for a reason this build does not know: DRBD calls it \"{}\"", volume.str(), hold.words()),
          fmt::format("drbdsetup status --verbose {}; journalctl -k -g {}", resource, resource)};
}

}  // namespace

std::string_view to_text(HoldReason reason) {
  switch (reason) {
    case HoldReason::fencing: return "fencing";
    case HoldReason::no_data: return "no-data";
    case HoldReason::user: return "user";
    case HoldReason::unknown: return "unknown";
  }
  return "";
}

IoHold IoHold::parse(std::string_view words) {
  IoHold hold;
  if (words == hold.words_) return hold;
  hold.words_ = words;
  while (true) {
    const std::size_t comma = words.find(',');
    const HoldReason reason = reason_of(words.substr(0, comma));
    if (!hold.has(reason)) hold.reasons_.push_back(reason);
    if (comma == std::string_view::npos) return hold;
    words.remove_prefix(comma + 1);
  }
}

bool IoHold::has(HoldReason reason) const { return std::find(reasons_.begin(), reasons_.end(), reason) != reasons_.end(); }

std::vector<HoldAdvice> explain(const IoHold& hold, const VolumeName& volume, const std::string& resource) {
  std::vector<HoldAdvice> all;
  for (const HoldReason reason : {HoldReason::no_data, HoldReason::fencing, HoldReason::unknown, HoldReason::user}) {
    if (hold.has(reason)) all.push_back(advice(reason, hold.reasons().size() == 1, hold, volume, resource));
  }
  return all;
}

}  // namespace mcv
