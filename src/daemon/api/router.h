// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/api/api_call.h"
#include "daemon/api/target.h"

namespace mcv::api {

/// On what a route's permission has to be held.
enum class Reach {
  cluster,  ///< everywhere
  vm,       ///< on the VM that {name} names
  some,     ///< on one VM at least: the handler shows, or does, only what is covered
};

/// May the caller do that? Called with the decoded call before any code of the feature runs (I8).
using Authorizer = std::function<Status(const ApiCall& call, const Need& need)>;

/// The table of everything a client can ask. Deny by default: what is not in the table does not exist, and a route
/// without a permission cannot be added.
class Router {
 public:
  struct Route {
    std::string method;
    std::string pattern;     ///< "/v1/vms/{name}/start"
    access::Permission permission;
    Reach reach = Reach::cluster;
    ApiHandler handler;
    std::vector<std::string> parts;
  };

  explicit Router(Authorizer authorizer) : authorizer_(std::move(authorizer)) {}
  /// A malformed or repeated route, or one of a VM without {name}, is a defect: std::logic_error at start-up.
  void add(std::string method, std::string pattern, access::Permission permission, Reach reach, ApiHandler handler);
  const std::vector<Route>& routes() const { return routes_; }

  /// `call` has everything but `path`, `params` and `query`, which come from `target`.
  boost::asio::awaitable<ApiReply> answer(ApiCall call, std::string target) const;

  struct Admitted {
    const Route* route = nullptr;
    ApiCall call;
  };
  /// The route and what it is called with, or why it is not. Nothing was run.
  Result<Admitted> admit(ApiCall call, const std::string& target) const;

 private:
  const Route* find(const std::string& method, const Target& target, std::map<std::string, std::string>& params) const;

  Authorizer authorizer_;
  std::vector<Route> routes_;
};

}  // namespace mcv::api
