// SPDX-License-Identifier: Apache-2.0
// HTTP to mcvd's socket, blocking: one connection a request, strict about what comes back. No knowledge of commands.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <ostream>
#include <string>

#include "cli/unix_stream.h"
#include "cluster/core/json.h"

namespace mcv::cli {

struct Reply {
  int status = 0;
  Json body;
};

/// mcvd's answer after "101 Switching Protocols": raw bytes both ways.
struct RawStream {
  UnixStream stream;
  std::string first;  ///< bytes that came together with the answer
};

/// The error that an answer describes; bad_output for an answer that describes none.
Error error_of_reply(const Json& problem, int status);

/// How long mcvd may be silent. Before it answers a read it waits 5 s at most for the caller's name and as long for the other node, and
/// says so; a change may have to wait for tools and disks of both.
struct Patience {
  std::chrono::milliseconds read = std::chrono::seconds(12);
  std::chrono::milliseconds change = std::chrono::seconds(180);
};

/// As it came.
struct Answer {
  int status = 0;
  std::string text;

  bool is_success() const { return status >= 200 && status <= 299; }
};

class Client {
 public:
  /// `trace` shows each request; nullptr for none. It must outlive the client.
  Client(std::string socket_path, std::ostream* trace, Patience patience = {}) : socket_path_(std::move(socket_path)), trace_(trace), patience_(patience) {}

  /// Any 2xx answer; everything else is the error the answer describes. Without a deadline: Patience, by method.
  Result<Reply> request(const std::string& method, const std::string& target, const std::optional<Json>& body = std::nullopt,
                        std::optional<std::chrono::milliseconds> deadline = std::nullopt);

  /// A GET whose answer is one long list: `take` is given each item of the member `key`, what is returned is the rest of the answer.
  Result<Json> list(const std::string& target, std::string_view key, const std::function<void(const Json&)>& take);

  /// Calls `on_view` with each state of the operation until a final one, which is returned. Reconnects when mcvd restarts,
  /// and gives up `patience` after it was last heard (connection_lost). Ctrl-C under an InterruptGuard: cancelled.
  Result<Json> follow(const std::string& operation_id, const std::function<void(const Json&)>& on_view,
                      std::chrono::milliseconds patience = std::chrono::minutes(2));

  Result<RawStream> upgrade(const std::string& target, const std::string& protocol);

 private:
  Result<Answer> exchange(const std::string& method, const std::string& target, const std::optional<Json>& body, std::chrono::milliseconds deadline);
  Result<std::optional<Json>> follow_once(const std::string& operation_id, const std::function<void(const Json&)>& on_view, bool& heard);
  void trace(const std::string& line) const;

  std::string socket_path_;
  std::ostream* trace_;
  Patience patience_;
};

bool is_final(const Json& operation_view);

}  // namespace mcv::cli
