// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/observation.h"

namespace mcv {

std::string_view to_text(DiskRole role) {
  switch (role) {
    case DiskRole::secondary: return "Secondary";
    case DiskRole::primary: return "Primary";
    case DiskRole::unknown: return "Unknown";
  }
  return "";
}

std::string_view to_text(DiskState state) {
  switch (state) {
    case DiskState::diskless: return "Diskless";
    case DiskState::attaching: return "Attaching";
    case DiskState::failed: return "Failed";
    case DiskState::negotiating: return "Negotiating";
    case DiskState::inconsistent: return "Inconsistent";
    case DiskState::outdated: return "Outdated";
    case DiskState::unknown: return "DUnknown";
    case DiskState::consistent: return "Consistent";
    case DiskState::up_to_date: return "UpToDate";
  }
  return "";
}

std::string_view to_text(ReplicationState state) {
  switch (state) {
    case ReplicationState::off: return "Off";
    case ReplicationState::established: return "Established";
    case ReplicationState::sync_source: return "SyncSource";
    case ReplicationState::sync_target: return "SyncTarget";
    case ReplicationState::paused_sync: return "PausedSync";
    case ReplicationState::verify_source: return "VerifyS";
    case ReplicationState::verify_target: return "VerifyT";
    case ReplicationState::other: return "other";
  }
  return "";
}

std::string_view to_text(ConnectionState state) {
  switch (state) {
    case ConnectionState::standalone: return "StandAlone";
    case ConnectionState::connecting: return "Connecting";
    case ConnectionState::connected: return "Connected";
    case ConnectionState::other: return "other";
  }
  return "";
}

std::string_view to_text(RunState state) {
  switch (state) {
    case RunState::stopped: return "stopped";
    case RunState::starting: return "starting";
    case RunState::running: return "running";
    case RunState::paused: return "paused";
    case RunState::stopping: return "stopping";
    case RunState::unknown: return "unknown";
  }
  return "";
}

std::string_view to_text(ExitReason reason) {
  switch (reason) {
    case ExitReason::none: return "none";
    case ExitReason::guest_power_off: return "guest power-off";
    case ExitReason::stopped_by_operator: return "stopped by operator";
    case ExitReason::killed_by_operator: return "killed by operator";
    case ExitReason::crashed: return "crashed";
  }
  return "";
}

}  // namespace mcv
