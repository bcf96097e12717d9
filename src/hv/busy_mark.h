// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cluster/host/wakeup.h"

namespace mcv::hv {

/// "Somebody is at it": set as long as this lives. Who waits on `changed` for the mark to go looks again at its end, also
/// when whoever was at it was cancelled.
class BusyMark {
 public:
  BusyMark(bool& busy, host::Wakeup& changed) : busy_(busy), changed_(changed) { busy_ = true; }
  ~BusyMark() {
    busy_ = false;
    changed_.notify();
  }
  BusyMark(const BusyMark&) = delete;
  BusyMark& operator=(const BusyMark&) = delete;

 private:
  bool& busy_;
  host::Wakeup& changed_;
};

}  // namespace mcv::hv
