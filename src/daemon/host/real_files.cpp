// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/real_files.h"

#include <functional>

#include "daemon/host/file_calls.h"

namespace mcv::host {

namespace asio = boost::asio;

// Named jobs, plain functions: no lambda stands in a statement that awaits (GCC 12).

asio::awaitable<Result<std::string>> RealFiles::read(std::string path) {
  std::function<Result<std::string>()> job = [path = std::move(path)]() { return file_calls::read(path); };
  return pool_.run(std::move(job));
}

asio::awaitable<Status> RealFiles::write_durably(std::string path, std::string text, unsigned mode) {
  std::function<Status()> job = [path = std::move(path), text = std::move(text), mode]() { return file_calls::write_durably(path, text, mode); };
  return pool_.run(std::move(job));
}

asio::awaitable<Status> RealFiles::append(std::string path, std::string text, unsigned mode) {
  std::function<Status()> job = [path = std::move(path), text = std::move(text), mode]() { return file_calls::append(path, text, mode); };
  return pool_.run(std::move(job));
}

asio::awaitable<Status> RealFiles::write_in_place(std::string path, std::string text) {
  std::function<Status()> job = [path = std::move(path), text = std::move(text)]() { return file_calls::write_in_place(path, text); };
  return pool_.run(std::move(job));
}

asio::awaitable<Status> RealFiles::remove(std::string path) {
  std::function<Status()> job = [path = std::move(path)]() { return file_calls::remove(path); };
  return pool_.run(std::move(job));
}

asio::awaitable<Result<bool>> RealFiles::exists(std::string path) {
  std::function<Result<bool>()> job = [path = std::move(path)]() { return file_calls::exists(path); };
  return pool_.run(std::move(job));
}

asio::awaitable<Result<std::vector<std::string>>> RealFiles::list(std::string directory) {
  std::function<Result<std::vector<std::string>>()> job = [directory = std::move(directory)]() { return file_calls::list(directory); };
  return pool_.run(std::move(job));
}

asio::awaitable<Status> RealFiles::make_directory(std::string path, unsigned mode) {
  std::function<Status()> job = [path = std::move(path), mode]() { return file_calls::make_directory(path, mode); };
  return pool_.run(std::move(job));
}

asio::awaitable<Result<std::string>> RealFiles::sha256(std::string path) {
  std::function<Result<std::string>()> job = [path = std::move(path)]() { return file_calls::sha256(path); };
  return pool_.run(std::move(job));
}

}  // namespace mcv::host
