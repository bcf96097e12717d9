// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cluster/host/processes.h"
#include "cluster/host/streams.h"

namespace mcv::sim {

/// For schedules of layers that must not touch the machine: every call is an error.
class NoProcesses final : public host::Processes {
 public:
  boost::asio::awaitable<Result<host::ProcessResult>> run(host::Command command) override;
  boost::asio::awaitable<Result<std::unique_ptr<host::LineStream>>> stream(host::Argv argv) override;
};

class NoSockets final : public host::UnixSockets {
 public:
  boost::asio::awaitable<Result<std::unique_ptr<host::ByteStream>>> connect(std::string path) override;
  boost::asio::awaitable<Result<host::HttpResponse>> http(std::string path, host::HttpRequest request, std::chrono::milliseconds deadline) override;
  Status send_datagram(const std::string& path, const std::string& bytes) override;
};

}  // namespace mcv::sim
