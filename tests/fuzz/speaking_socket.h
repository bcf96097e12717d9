// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <string>

namespace mcv::fuzz {

/// A daemon that says one text to whoever connects, whatever it is asked, and hangs up. One for the process; its socket has no file.
class SpeakingSocket {
 public:
  static SpeakingSocket& get();
  void will_say(std::string text);
  const std::string& path() const { return path_; }

 private:
  SpeakingSocket();
  void serve();

  std::string path_;
  int listener_ = -1;
  std::mutex mutex_;
  std::string text_;
};

}  // namespace mcv::fuzz
