// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/file_calls.h"

#include "daemon/host/digest_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "daemon/host/descriptor.h"

namespace mcv::host::file_calls {
namespace {

constexpr std::size_t read_limit = std::size_t{16} << 20;
constexpr std::string_view temporary_prefix = ".mcv-tmp.";

Error failure(std::string_view what, const std::string& path, int code) {
  const std::string message = fmt::format("{} {}: {}", what, path, std::strerror(code));
  switch (code) {
    case ENOENT: case ENOTDIR: return Error(ErrorCode::not_found, message);
    case ENOSPC: case EDQUOT: return Error(ErrorCode::disk_full, message);
    default: return Error(ErrorCode::io_error, message);
  }
}

Status check_path(const std::string& path) {
  if (path.empty() || path.front() != '/' || path.find('\0') != std::string::npos) {
    return Error(ErrorCode::bad_request, fmt::format("'{}' is not an absolute path", path));
  }
  return success();
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string base_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

int open_retrying(const std::string& path, int flags) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

/// Opens what can be read to an end: a FIFO or a device would block a pool thread for good.
Result<Descriptor> open_regular(const std::string& path) {
  MCV_CHECK(check_path(path));
  Descriptor file(open_retrying(path, O_RDONLY | O_NONBLOCK));
  if (!file.valid()) return failure("open", path, errno);
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return failure("stat", path, errno);
  if (!S_ISREG(facts.st_mode)) return Error(ErrorCode::io_error, fmt::format("{} is not a regular file", path));
  return file;
}

Status sync_directory(const std::string& directory) {
  Descriptor handle(open_retrying(directory, O_RDONLY | O_DIRECTORY));
  if (!handle.valid()) return failure("open", directory, errno);
  if (::fsync(handle.get()) != 0) return failure("fsync", directory, errno);
  return success();
}

Status write_all(int fd, const std::string& path, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return failure("write", path, errno);
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  return success();
}

/// Removes the temporary file unless it took its final name.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string path) : path_(std::move(path)) {}
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  void keep() { path_.clear(); }

 private:
  std::string path_;
};

struct DigestDeleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

}  // namespace

Result<std::string> read(const std::string& path) {
  MCV_TRY(const Descriptor file, open_regular(path));
  std::string text;
  std::array<char, 65536> chunk;
  while (true) {
    const ssize_t got = ::read(file.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure("read", path, errno);
    if (got == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(got));
    if (text.size() > read_limit) return Error(ErrorCode::too_large, fmt::format("{} is larger than {} MiB", path, read_limit >> 20));
  }
}

Status write_durably(const std::string& path, const std::string& text, unsigned mode) {
  MCV_CHECK(check_path(path));
  const std::string directory = parent_of(path);
  std::string name = fmt::format("{}/{}{}.XXXXXX", directory, temporary_prefix, base_of(path));
  Descriptor file(::mkostemp(name.data(), O_CLOEXEC));
  if (!file.valid()) return failure("create", path, errno);
  TemporaryFile temporary(name);
  if (::fchmod(file.get(), mode) != 0) return failure("chmod", path, errno);
  MCV_CHECK(write_all(file.get(), path, text));
  if (::fsync(file.get()) != 0) return failure("fsync", path, errno);
  if (::rename(name.c_str(), path.c_str()) != 0) return failure("rename to", path, errno);
  temporary.keep();
  return sync_directory(directory);
}

Status append(const std::string& path, const std::string& text, unsigned mode) {
  MCV_CHECK(check_path(path));
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, static_cast<mode_t>(mode)));
  if (!file.valid()) return failure("open", path, errno);
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t put = ::write(file.get(), text.data() + done, text.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return failure("write", path, errno);
    done += static_cast<std::size_t>(put);
  }
  return success();
}

Status write_in_place(const std::string& path, const std::string& text) {
  MCV_CHECK(check_path(path));
  Descriptor file(open_retrying(path, O_WRONLY | O_NONBLOCK));
  if (!file.valid()) return failure("open", path, errno);
  // The kernel takes a value in one call; the rest of a short write would be another value.
  ssize_t put = -1;
  do {
    put = ::write(file.get(), text.data(), text.size());
  } while (put < 0 && errno == EINTR);
  if (put < 0) return failure("write", path, errno);
  if (static_cast<std::size_t>(put) != text.size()) return Error(ErrorCode::io_error, fmt::format("{} took {} of {} bytes", path, put, text.size()));
  return success();
}

Status remove(const std::string& path) {
  MCV_CHECK(check_path(path));
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return success();
    return failure("remove", path, errno);
  }
  return sync_directory(parent_of(path));
}

Result<bool> exists(const std::string& path) {
  MCV_CHECK(check_path(path));
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return failure("stat", path, errno);
}

Result<std::vector<std::string>> list(const std::string& directory) {
  MCV_CHECK(check_path(directory));
  std::unique_ptr<DIR, int (*)(DIR*)> handle(::opendir(directory.c_str()), ::closedir);
  std::vector<std::string> names;
  if (handle == nullptr) {
    if (errno == ENOENT) return names;
    return failure("list", directory, errno);
  }
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(handle.get());
    if (entry == nullptr && errno != 0) return failure("list", directory, errno);
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && name.substr(0, temporary_prefix.size()) != temporary_prefix) names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Status make_directory(const std::string& path, unsigned mode) {
  MCV_CHECK(check_path(path));
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const bool last = end == std::string::npos;
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), 0755) == 0) {
      // The umask took bits from mkdir's mode; the caller's mode is meant literally.
      if (::chmod(part.c_str(), last ? mode : 0755) != 0) return failure("chmod", part, errno);
      MCV_CHECK(sync_directory(parent_of(part)));
    } else if (errno != EEXIST) {
      return failure("create directory", part, errno);
    }
    if (last) break;
  }
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return failure("stat", path, errno);
  if (!S_ISDIR(facts.st_mode)) return Error(ErrorCode::io_error, fmt::format("{} exists and is not a directory", path));
  return success();
}

Result<std::string> sha256(const std::string& path) {
  MCV_TRY(const Descriptor file, open_regular(path));
  static DigestCache cache;
  struct stat before {};
  if (::fstat(file.get(), &before) != 0) return failure("stat", path, errno);
  if (auto known = cache.find(before)) return *known;
  const std::unique_ptr<EVP_MD_CTX, DigestDeleter> context(EVP_MD_CTX_new());
  if (context == nullptr || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) return Error(ErrorCode::internal, "no SHA-256");
  std::vector<char> chunk(std::size_t{1} << 18);
  while (true) {
    const ssize_t got = ::read(file.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure("read", path, errno);
    if (got == 0) break;
    EVP_DigestUpdate(context.get(), chunk.data(), static_cast<std::size_t>(got));
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  EVP_DigestFinal_ex(context.get(), digest.data(), &length);
  std::string text;
  for (unsigned i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
  struct stat after {};
  if (::fstat(file.get(), &after) == 0) cache.keep(before, after, text);
  return text;
}

}  // namespace mcv::host::file_calls
