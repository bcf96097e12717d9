// SPDX-License-Identifier: Apache-2.0
// What two daemons tell each other about node-owned records, by corosync: anybody in the group can say anything.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/core/json.h"
#include "cluster/store/node_records.h"

namespace mcv {

struct RecordMessage {
  enum class Type {
    offer,  ///< there is a stream
    push,   ///< its records after one number, up to another
    have,   ///< how far the stream is durable there
  };
  Type type = Type::offer;
  std::string node;    ///< whose stream it is
  std::string stream;
  std::uint64_t after = 0;
  std::uint64_t through = 0;
  std::uint64_t number = 0;               ///< of `have`
  std::vector<NodeOwnedRecord> records;   ///< of `push`

  /// Keys of a newer build are left out.
  static Result<RecordMessage> from_json(const Json& json);
};

}  // namespace mcv
