// SPDX-License-Identifier: Apache-2.0
// A command as data: parsing, help, man page, completion and the check against config/openapi.json all read it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/core/result.h"

namespace mcv::cli {

class Session;

/// What a value names, so that completion can offer it and a wrong one gets a suggestion.
enum class Completes { nothing, vm, node, network, pool, operation, user, group, disk, snapshot, quarantined, action, file };

struct Option {
  std::string_view name;         ///< "--cpus"
  std::string_view value = {};   ///< what help calls the value, "N", or the words it may be, "on|off"; empty for a switch
  std::string_view help = {};
  bool required = false;
  bool repeatable = false;
  Completes completes = Completes::nothing;
  std::string_view also = {};    ///< another accepted spelling
  bool may_be_empty = false;     ///< '' is a value
};

/// The words after the verb: of one kind, or of another kind from the second, or the third, on.
struct Operands {
  std::string_view name = {};  ///< "VM"; empty when the command takes none
  std::size_t min = 0;
  std::size_t max = 0;         ///< unlimited: `any_number`
  Completes completes = Completes::nothing;
  Completes then = Completes::nothing;  ///< of those after the first, where they are another kind
  Completes third = Completes::nothing;  ///< of those after the second, where they are yet another

  /// virshle's form of one of them, "vm start --id vm1"; empty where there is none.
  std::string_view option() const { return completes == Completes::vm ? "--id" : ""; }
  Completes kind_at(std::size_t index) const {
    if (index > 1 && third != Completes::nothing) return third;
    return index > 0 && then != Completes::nothing ? then : completes;
  }
};
inline constexpr std::size_t any_number = 1000;

struct Route {
  std::string_view method;
  std::string_view path;  ///< as in config/openapi.json, "/v1/vms/{name}/start"
  friend bool operator==(const Route&, const Route&) = default;
};

/// What the user typed for one command, checked against its table entry.
class Arguments {
 public:
  void add(std::string_view option, std::string value) { options_[std::string(option)].push_back(std::move(value)); }
  void add_name(std::string name) { names_.push_back(std::move(name)); }

  bool has(std::string_view option) const { return options_.contains(option); }
  /// The value, or `fallback`.
  std::string value(std::string_view option, std::string_view fallback = {}) const;
  std::vector<std::string> values(std::string_view option) const;
  const std::vector<std::string>& names() const { return names_; }
  /// The first name; only for commands with at least one.
  const std::string& name() const { return names_.front(); }

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> options_;
  std::vector<std::string> names_;
};

struct Command {
  std::string_view name;                         ///< "vm create"
  std::string_view summary;                      ///< one line, no full stop
  std::string_view details = {};                 ///< help and manual; paragraphs divided by an empty line
  Operands operands = {};
  std::vector<Option> options = {};
  std::vector<std::string_view> also = {};       ///< other accepted spellings: "create", "cluster --add-node"
  std::vector<Route> routes = {};                ///< what it asks of mcvd; Session refuses any other
  std::vector<std::string_view> examples = {};
  /// The exit code, or the error that ends the command.
  Result<int> (*run)(Session& session, const Arguments& arguments) = nullptr;
};

}  // namespace mcv::cli
