// SPDX-License-Identifier: Apache-2.0
// One request and its reply, as handlers see them: no HTTP, no sockets.
#pragma once

#include <sys/types.h>

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cluster/access/decision.h"
#include "cluster/core/json.h"
#include "cluster/core/result.h"
#include "cluster/host/streams.h"

namespace mcv::api {

/// Who asks, as the kernel says (SO_PEERCRED) on the node that was entered.
struct Caller {
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
  pid_t pid = 0;
  std::string name;  ///< of the account, once it was looked up; on a forwarded request as the other node says; empty for none
};
/// Whom roles are given to.
access::Identity identity_of(const Caller& caller);
/// For people: "root", "alice", "uid 1001".
std::string who(const Caller& caller);

/// What was judged before code of the feature ran; judged again before anything is carried out.
struct Need {
  access::Permission permission;
  access::Scope scope;
};

/// What the audit will keep of a request: begun by the router, completed by who knows more.
struct AuditSlip {
  bool due = true;               ///< false: nothing was to be changed; that somebody may not even look is kept nevertheless
  bool is_kept_elsewhere = false;  ///< by the other node, or in the change itself
  std::string action;            ///< the route's permission; empty: no route
  std::string request;           ///< method and path
  std::vector<std::string> vms;
  std::string text;
};

struct ApiCall {
  std::string method;
  std::string path;                           ///< decoded
  std::map<std::string, std::string> params;  ///< from the route's pattern, decoded
  std::map<std::string, std::string> query;   ///< decoded; a key given twice was refused
  std::string body;
  Caller caller;
  std::string upgrade;     ///< the protocol the client wants to change to; empty for none
  bool forwarded = false;  ///< came from the other node, which took this one for the owner: it is not sent on again
  std::shared_ptr<AuditSlip> audit;  ///< of whoever keeps an audit; null: nobody does
  std::vector<Need> needs;  ///< by the route and, where a body names objects, by its handler

  /// Nothing is changed by it, whatever becomes of it: the audit has no row, unless it is refused to who asks.
  void only_looks() const {
    if (audit) audit->due = false;
  }
  /// Its row is with the other node, or in the change that it made.
  void is_audited_elsewhere() const {
    if (audit) audit->is_kept_elsewhere = true;
  }
  /// A parameter of the route's pattern; empty when the pattern has none of that name.
  std::string param(const std::string& name) const;
  /// The body as a JSON object; no body is an empty object. A null says nothing and is refused, but under a key in `nullable`.
  Result<Json> json(std::initializer_list<std::string_view> nullable = {}) const;
  /// For routes that take no field: no body, or an empty object.
  Status no_fields() const;
  /// "?key=text" of at most so many bytes; nothing when absent.
  Result<std::optional<std::string>> text(const std::string& key, std::size_t longest) const;
  /// "?key=number"; nothing when absent.
  Result<std::optional<std::uint64_t>> number(const std::string& key, std::uint64_t least, std::uint64_t most) const;
  /// "?key=true" or "?key=false"; false when absent.
  Result<bool> flag(const std::string& key) const;
  /// Refuses every query key but these: a misspelt dry_run must not change anything.
  Status only_query(std::initializer_list<std::string_view> keys) const;
};

/// Lines sent one by one as application/x-ndjson.
class LineSource {
 public:
  virtual ~LineSource() = default;
  /// The next line without its newline; nullopt ends the stream. Cancelled when the client goes away.
  virtual boost::asio::awaitable<std::optional<std::string>> next() = 0;
};

struct JsonReply {
  int status = 200;
  Json body;
};
/// JSON that is written already, status 200: of a long list the tree takes ten times the memory of the text.
struct TextReply {
  std::string json;
};
struct LinesReply {
  std::unique_ptr<LineSource> lines;
};
/// 101, then the bytes of `stream` to the client and the client's bytes to `stream`, until either ends.
struct UpgradeReply {
  std::string protocol;
  std::unique_ptr<host::ByteStream> stream;
};
/// An Error is sent as a problem object, so MCV_CO_TRY works in handlers.
using ApiReply = std::variant<JsonReply, TextReply, LinesReply, UpgradeReply, Error>;

/// Long-lived: copied into the table once. Not a capturing coroutine itself, but a function that calls one.
using ApiHandler = std::function<boost::asio::awaitable<ApiReply>(ApiCall)>;

ApiReply reply(Json body, int status = 200);
/// What a client would read; nothing of a stream or an error.
std::optional<JsonReply> document_of(const ApiReply& reply);

}  // namespace mcv::api
