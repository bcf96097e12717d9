// SPDX-License-Identifier: Apache-2.0
// A DRBD tool's refusal as an error of ours. Pure.
#pragma once

#include "cluster/core/names.h"
#include "cluster/core/result.h"
#include "cluster/host/processes.h"

namespace mcv::drbd {

/// For a result that is not ok(). The secret of the connection, which drbdadm repeats, is not in it.
Error error_of(const VolumeName& volume, const host::Argv& argv, const host::ProcessResult& result);

}  // namespace mcv::drbd
