// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace mcv::plans {

/// Whether a failed verify stops a start. A person may say that it does not; the reason is in the journal.
enum class GateRule { holds, overridden };

}  // namespace mcv::plans
