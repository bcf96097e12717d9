// SPDX-License-Identifier: Apache-2.0
// Pieces of output that several commands share.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/render/table.h"
#include "cli/render/text.h"

namespace mcv::cli::commands {

/// "Label    value" lines; long values wrap under themselves.
class Facts {
 public:
  void add(std::string label, std::string value, Tone tone = Tone::plain);
  std::string to_text(std::size_t width, bool colour) const;

 private:
  struct Fact {
    std::string label;
    std::string value;
    Tone tone;
  };
  std::vector<Fact> facts_;
};

/// "left in order, since 2026-11-26 07:00:00 (5 m ago)" of a node or peer that did; empty otherwise.
std::string left_text(const Json& node);
/// A node's status, with since when it is away where it left.
std::string status_text(const Json& node);
std::string or_dash(std::string text);
/// "a, b" of a list of texts, "-" when empty.
std::string joined(const Json& list);
/// "clean, 3 h ago", "mismatch, 2 d ago", "never"
Cell verdict_cell(const Json& verdict);
/// Why a volume's I/O is held, in a word or two each.
std::string hold_words(const Json& volume);
/// Each warning with what to type.
void print_warnings(Session& session, const Json& warnings);
/// The whole of `hvctl info VM...`.
Result<int> show_vms(Session& session, const std::vector<std::string>& names);
/// " since 2026-11-30 14:00:00 (3 h ago)" of a VM's lock; empty when nobody wrote down when.
std::string since_text(const Json& lock);
/// What a storage type, hypervisor or other word of a fixed set must be.
Status check_one_of(std::string_view option, const std::string& value, const std::vector<std::string>& allowed, std::string_view next = {});
/// A path as mcvd will read it: relative ones are taken from here.
std::string absolute_path(const std::string& path);

}  // namespace mcv::cli::commands
