// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/sqlite/reserve_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mcv::host {

bool ReserveFile::restore() {
  const int file = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return whole_ = false;
  // posix_fallocate allocates blocks, a mere length would not. Half a reserve is none: give it back.
  whole_ = ::posix_fallocate(file, 0, static_cast<off_t>(bytes_)) == 0;
  if (!whole_ && ::ftruncate(file, 0) != 0) whole_ = false;
  ::close(file);
  return whole_;
}

void ReserveFile::release() {
  whole_ = false;
  const int file = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return;
  if (::ftruncate(file, 0) == 0) ::fsync(file);
  ::close(file);
}

}  // namespace mcv::host
