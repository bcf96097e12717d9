// SPDX-License-Identifier: Apache-2.0
// What the files of LogMachine share: texts on the wire, rows of a step. For them alone.
#pragma once

#include "cluster/store/log_machine.h"

namespace mcv::log_parts {

inline constexpr std::uint64_t protocol_version = 1;
inline constexpr std::uint64_t kept_entries = 1000;  ///< outcome() can answer this far back

inline constexpr std::size_t whole_state_bytes = std::size_t{64} << 20;  ///< one node takes so much of the other, and sends no more

Json error_to_json(const Error& error);
Error error_from_json(const Json& json);

/// Of a hello; a build that says nothing of features has none.
Abilities abilities_from_json(const Json& hello);

/// The first entry of a generation's history: names what it continues.
LogEntry generation_entry(const GenerationRecord& record, std::uint64_t format);
/// At most so many as are kept.
std::vector<GenerationRecord> with_newest(std::vector<GenerationRecord> history, GenerationRecord newest);

/// All of it, and as much of the log's end as fits into `limit`.
std::string whole_state(const LogImage& image, std::size_t limit);

/// The rows a change leaves in `state`, which holds it already.
void add_rows(Persist& step, const ClusterState& state, const Change& change);
void add_all_rows(Persist& step, const ClusterState& state);

}  // namespace mcv::log_parts
