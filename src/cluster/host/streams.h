// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "cluster/core/result.h"

namespace mcv::host {

/// A byte stream: a VMM's console or its QMP monitor over a unix socket, an upgraded connection of a client or the peer.
class ByteStream {
 public:
  virtual ~ByteStream() = default;  ///< closes
  /// At least one byte, or an empty text at the end of the stream. Cancellable.
  virtual boost::asio::awaitable<Result<std::string>> read_some() = 0;
  virtual boost::asio::awaitable<Status> write(std::string bytes) = 0;
  /// Says that nothing more will be written; what is still to be read can be read to its end.
  virtual void finish_writing() {}
  virtual void close() = 0;
};

struct HttpRequest {
  std::string method = "GET";
  std::string target = "/";
  std::string body;                            ///< JSON, or empty
  std::map<std::string, std::string> headers;  ///< lower-case names; Host, Content-*, Connection and Upgrade are set by the transport
  std::string upgrade;                         ///< the protocol to change to; empty for none
};

struct HttpResponse {
  int status = 0;
  std::string body;
  bool ok() const { return status >= 200 && status < 300; }
};

class UnixSockets {
 public:
  virtual ~UnixSockets() = default;
  /// `not_found` when there is no socket file, `daemon_unreachable` when nobody listens.
  virtual boost::asio::awaitable<Result<std::unique_ptr<ByteStream>>> connect(std::string path) = 0;
  /// One HTTP/1.1 request on a connection of its own. Accepts what cloud-hypervisor sends: no reason phrase, 204
  /// without Content-Length. `timed_out` says nothing about whether the request took effect.
  virtual boost::asio::awaitable<Result<HttpResponse>> http(std::string path, HttpRequest request, std::chrono::milliseconds deadline) = 0;
  /// Gives the service manager a copy of the connection, so that it stays open when this process is killed, until
  /// `release` or until the other side closes. Best effort; nothing happens outside of a service.
  virtual void keep(const std::string& /*name*/, ByteStream& /*stream*/) {}
  virtual void release(const std::string& /*name*/) {}
  /// A connection that an earlier process of this service kept; null when there is none. Each is given once.
  virtual std::unique_ptr<ByteStream> take_kept(const std::string& /*name*/) { return nullptr; }
  /// One datagram; errors are returned, never waited for.
  virtual Status send_datagram(const std::string& path, const std::string& bytes) = 0;
};

}  // namespace mcv::host
