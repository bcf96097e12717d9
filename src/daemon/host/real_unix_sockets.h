// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <map>
#include <memory>

#include "cluster/host/streams.h"

namespace mcv::host {

class RealUnixSockets : public UnixSockets {
 public:
  explicit RealUnixSockets(boost::asio::any_io_executor loop) : loop_(std::move(loop)) {}
  boost::asio::awaitable<Result<std::unique_ptr<ByteStream>>> connect(std::string path) override;
  boost::asio::awaitable<Result<HttpResponse>> http(std::string path, HttpRequest request, std::chrono::milliseconds deadline) override;
  void keep(const std::string& name, ByteStream& stream) override;
  void release(const std::string& name) override;
  std::unique_ptr<ByteStream> take_kept(const std::string& name) override;
  Status send_datagram(const std::string& path, const std::string& bytes) override;

 private:
  boost::asio::any_io_executor loop_;
  bool kept_is_read_ = false;
  std::map<std::string, std::unique_ptr<ByteStream>> kept_;
};

/// A connected socket as a ByteStream; `first` is delivered before what the socket brings.
std::unique_ptr<ByteStream> make_byte_stream(boost::asio::local::stream_protocol::socket socket, std::string first = {});

}  // namespace mcv::host
