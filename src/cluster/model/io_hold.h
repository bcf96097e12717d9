// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cluster/core/names.h"

namespace mcv {

/// Why DRBD holds a volume's I/O.
enum class HoldReason {
  fencing,  ///< the other node went away and nothing proves that it is off
  no_data,  ///< neither this node's disk nor the other's can be reached
  user,     ///< `drbdadm suspend-io`
  unknown,  ///< a word this build does not know
};
std::string_view to_text(HoldReason reason);

/// What the kernel says of a volume's I/O. It may be held for several reasons at a time.
class IoHold {
 public:
  IoHold() = default;  ///< flows
  /// "no", or a comma list of words. Every other word counts as a reason: I/O that may be held is not shown as flowing.
  static IoHold parse(std::string_view words);

  bool held() const { return !reasons_.empty(); }
  const std::vector<HoldReason>& reasons() const { return reasons_; }  ///< in the order of the kernel's words
  bool has(HoldReason reason) const;
  /// The kernel's own words; "no" when it flows.
  const std::string& words() const { return words_; }
  friend bool operator==(const IoHold& a, const IoHold& b) { return a.words_ == b.words_; }

 private:
  std::string words_ = "no";
  std::vector<HoldReason> reasons_;
};

/// One reason in a person's words.
struct HoldAdvice {
  HoldReason reason = HoldReason::unknown;
  std::string text;  ///< "writes to vm1-0 are held, none is lost: …"
  std::string next;  ///< what decides it
};

/// One for each reason, in the order in which they are to be dealt with; empty when I/O flows.
std::vector<HoldAdvice> explain(const IoHold& hold, const VolumeName& volume, const std::string& resource);

}  // namespace mcv
