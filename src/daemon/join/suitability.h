// SPDX-License-Identifier: Apache-2.0
// May this node join that one? Pure: two sets of facts in, a table out (feature M3).
#pragma once

#include <string>
#include <vector>

#include "cluster/model/cluster_state.h"
#include "daemon/join/join_facts.h"

namespace mcv::join {

enum class CheckStatus { pass, warn, fail };
std::string_view to_text(CheckStatus status);

struct SuitabilityRow {
  std::string check;  ///< stable id: "blank", "version", …
  CheckStatus status = CheckStatus::pass;
  std::string text;
  std::string fix;    ///< what to do; empty when it passed
  ErrorCode code = ErrorCode::not_suitable;  ///< of a fail
};

/// `expected_name` and `expected_address` are what the operator typed, empty when not given.
std::vector<SuitabilityRow> suitability(const ClusterState& state, const JoinFacts& here, const JoinFacts& there,
                                        const std::string& expected_name, const std::string& expected_address);

bool has_failure(const std::vector<SuitabilityRow>& rows);
Json to_json(const std::vector<SuitabilityRow>& rows);
/// The first failure's own code and text, then how many more there are.
Error to_error(const std::vector<SuitabilityRow>& rows, const NodeName& node);

}  // namespace mcv::join
