// SPDX-License-Identifier: Apache-2.0
// Corosync on one node: its files rendered from the members, and its service. mcv owns /etc/corosync once the file
// carries mcv's mark; a corosync.conf of somebody else's is never touched.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "cluster/core/result.h"
#include "cluster/host/host.h"
#include "cluster/model/records.h"

namespace mcv::membership {

struct CorosyncFiles {
  std::string conf;
  std::string authkey_hex;  ///< /etc/corosync/authkey, 256 bytes as hex: a secret
};

/// Pure. Two members with cluster addresses, or `bad_request`. knet with AES-256, two_node with wait_for_all: availability,
/// never safety (DESIGN 5).
Result<std::string> render_corosync_conf(const std::vector<NodeRecord>& members);
Result<CorosyncFiles> corosync_files(const std::vector<NodeRecord>& members, const std::string& authkey_hex);
std::string new_authkey_hex(host::Random& random);

/// Whether there is a corosync.conf that mcv did not write. Debian's package ships an example: not foreign.
boost::asio::awaitable<Result<bool>> foreign_corosync(host::Host& host);
/// Files durable, service enabled and running; restarted only when a file changed. Undo: remove_corosync.
boost::asio::awaitable<Status> ensure_corosync(host::Host& host, CorosyncFiles files);
/// Stopped, disabled, files gone. Success when there was nothing; another's files stay.
boost::asio::awaitable<Status> remove_corosync(host::Host& host);

}  // namespace mcv::membership
