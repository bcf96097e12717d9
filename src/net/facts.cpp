// SPDX-License-Identifier: Apache-2.0
#include "net/facts.h"

#include "net/links.h"

namespace mcv::net {

boost::asio::awaitable<Status> add_facts(host::Host& host, NodeFacts& facts) {
  MCV_CO_TRY(const std::vector<Link> found, co_await links(host));
  facts.bridges = bridges(found);
  co_return success();
}

}  // namespace mcv::net
