// SPDX-License-Identifier: Apache-2.0
#include "world/nothing.h"

namespace mcv::sim {

boost::asio::awaitable<Result<host::ProcessResult>> NoProcesses::run(host::Command command) {
  co_return Error(ErrorCode::command_missing, command.argv.front() + " is not there");
}
boost::asio::awaitable<Result<std::unique_ptr<host::LineStream>>> NoProcesses::stream(host::Argv argv) {
  co_return Error(ErrorCode::command_missing, argv.front() + " is not there");
}
boost::asio::awaitable<Result<std::unique_ptr<host::ByteStream>>> NoSockets::connect(std::string path) { co_return Error(ErrorCode::not_found, path); }
boost::asio::awaitable<Result<host::HttpResponse>> NoSockets::http(std::string path, host::HttpRequest, std::chrono::milliseconds) {
  co_return Error(ErrorCode::not_found, path);
}
Status NoSockets::send_datagram(const std::string& path, const std::string&) { return Error(ErrorCode::not_found, path); }

}  // namespace mcv::sim
