// SPDX-License-Identifier: Apache-2.0
// What a command needs from its surroundings: the daemon, the terminal, and the habits every command shares.
#pragma once

#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/terminal.h"

namespace mcv::cli {

/// Exit codes beyond those of ErrorKind (docs/operations.md).
inline constexpr int exit_mismatch = 20;
inline constexpr int exit_not_verified = 21;
inline constexpr int exit_partial = 22;
inline constexpr int exit_left_running = 130;

/// Where a changing request led.
struct Outcome {
  enum class Kind {
    planned,       ///< --dry-run; body = {"plan": [...]}
    done,          ///< at once; body = {"result": ..., "durability": ...}
    started,       ///< --no-wait; body = the operation
    left_running,  ///< Ctrl-C; body = the operation as last seen
    ended,         ///< body = the operation in a final state
  };
  Kind kind = Kind::done;
  Json body;
};

class Session {
 public:
  Session(Globals globals, Terminal terminal, const Command& command, std::ostream& out, std::ostream& err);

  const Globals& globals() const { return globals_; }
  const Terminal& terminal() const { return terminal_; }
  std::ostream& out() { return out_; }
  std::ostream& err() { return err_; }
  Client& client() { return client_; }
  bool json() const { return globals_.format == Format::json; }

  /// `path` is a route of the command's table entry; `names` fill its {braces} in order.
  Result<Json> get(std::string_view path, const std::vector<std::string>& names = {}, std::string_view query = {});
  /// As Client::list.
  Result<Json> list(std::string_view path, std::string_view query, std::string_view key, const std::function<void(const Json&)>& take);
  /// What a change would do, or why it would be refused; nothing is changed.
  Result<Json> plan(std::string_view method, std::string_view path, const std::vector<std::string>& names = {}, const std::optional<Json>& body = std::nullopt);
  /// Sends a change; long work is not followed yet (Kind::started).
  Result<Outcome> submit(std::string_view method, std::string_view path, const std::vector<std::string>& names = {}, const std::optional<Json>& body = std::nullopt);
  /// Follows a started outcome unless --no-wait.
  Result<Outcome> follow(Outcome started, const std::string& label = {});
  /// submit, then follow.
  Result<Outcome> change(std::string_view method, std::string_view path, const std::vector<std::string>& names = {}, const std::optional<Json>& body = std::nullopt);

  /// Prints an outcome and gives the exit code; `done_text` is said of a success. A failed operation is an Error.
  Result<int> finish(const Outcome& outcome, const std::string& done_text);
  /// The same request for each name, once: all are sent, then each is followed. A result each; the first failure decides the exit code.
  Result<int> each(const std::vector<std::string>& names, Completes kind, const std::function<Result<Outcome>(const std::string&)>& submit_one,
                   const std::function<std::string(const std::string&)>& done_text);

  /// The same look at each name, once. `show` prints one for people, `exit_code` is what one says of itself; the first that is not 0 counts.
  /// With `-o json` the document itself, or those of several names in one.
  Result<int> each_shown(const std::vector<std::string>& names, Completes kind, std::string_view path, const std::function<void(const Json&)>& show,
                         const std::function<int(const Json&)>& exit_code);

  void print(const Json& value);
  void print_error(const Error& error);
  /// `error` with the nearest existing name when it says that `typed` does not exist.
  Error with_suggestion(Error error, Completes kind, const std::string& typed);
  /// The same for whatever the user named, as operand or as an option's value, and the error speaks of.
  Error with_suggestion(Error error, const Arguments& arguments);
  /// Names of the objects of a kind, for suggestions and completion; empty when they cannot be had quickly.
  std::vector<std::string> names_of(Completes kind);
  /// The request target of a declared route.
  Result<std::string> target(std::string_view method, std::string_view path, const std::vector<std::string>& names) const;

 private:
  void print_plan(const Json& plan);
  void say_left_running(const Json& operation);

  Globals globals_;
  Terminal terminal_;
  const Command& command_;
  std::ostream& out_;
  std::ostream& err_;
  Client client_;
};

/// For a part of a request's target.
std::string percent_encoded(std::string_view text);

/// The error of an operation that did not succeed, nullopt for one that did.
std::optional<Error> error_of_operation(const Json& view);

}  // namespace mcv::cli
