// SPDX-License-Identifier: Apache-2.0
// Who asked for what, and what came of it. Pure: main() decides where it is kept.
#pragma once

#include <string>

#include "cluster/core/names.h"
#include "daemon/api/api_call.h"
#include "daemon/log/event_log.h"

namespace mcv {

/// What is remembered of a request while it is carried out. Never its body: that may hold a secret.
struct Asked {
  std::string method;
  std::string target;
  api::Caller caller;
  bool forwarded = false;
  bool opens_stream = false;
};
Asked asked_of(const api::ApiCall& call, const std::string& target);

/// At info for what changes something or opens a console, refused or not; at debug for what only looks; a defect of ours at error.
LogEvent command_event(const NodeName& self, const Asked& asked, const api::ApiReply& reply);

}  // namespace mcv
