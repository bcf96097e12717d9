// SPDX-License-Identifier: Apache-2.0
// A daemon that hangs: the kernel takes the connection and the request, and nobody answers.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "cli/client.h"

namespace mcv::cli::client_test {
namespace {

using namespace std::chrono_literals;

class SilentDaemon : public testing::Test {
 protected:
  SilentDaemon() {
    char pattern[] = "/tmp/mcv-client-XXXXXX";
    directory_ = mkdtemp(pattern);
    path = directory_ + "/mcvd.sock";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(listener_, 1), 0);
  }
  ~SilentDaemon() override {
    close(listener_);
    std::filesystem::remove_all(directory_);
  }
  Error ask(const std::string& method) {
    Patience patience;
    patience.read = 50ms;
    patience.change = 100ms;
    Client client(path, nullptr, patience);
    auto reply = client.request(method, "/v1/vms");
    return reply.ok() ? Error(ErrorCode::internal, "it answered") : reply.error();
  }

  std::string path;

 private:
  std::string directory_;
  int listener_ = -1;
};

TEST_F(SilentDaemon, AReadEndsAndSaysWhatIsKnown) {
  const Error error = ask("GET");
  EXPECT_EQ(error.code(), ErrorCode::timed_out);
  EXPECT_NE(error.message().find("took the request"), std::string::npos) << error.message();
  EXPECT_NE(error.safe().find("nothing was changed"), std::string::npos) << error.safe();
  EXPECT_NE(error.next().find("systemctl status mcvd"), std::string::npos) << error.next();
}

TEST_F(SilentDaemon, OfAChangeNothingIsPromised) { EXPECT_EQ(ask("POST").code(), ErrorCode::outcome_unknown); }

TEST_F(SilentDaemon, AReadWaitsLessThanAChangeAndLongerThanMcvdItselfMayWait) {
  EXPECT_LE(Patience().read, 15s);
  EXPECT_GT(Patience().read, 10s);
  EXPECT_GE(Patience().change, 120s);
}

TEST_F(SilentDaemon, ItsFullQueueEndsTheWaitAsWell) {
  std::vector<UnixStream> waiting;
  for (int i = 0; i < 10; ++i) {
    auto stream = UnixStream::connect(path, 1s);
    if (stream.ok()) {
      waiting.push_back(std::move(*stream));
      continue;
    }
    EXPECT_EQ(stream.error().code(), ErrorCode::daemon_unreachable);
    EXPECT_NE(stream.error().message().find("takes no connection"), std::string::npos) << stream.error().message();
    return;
  }
  FAIL() << "a queue of one took ten";
}

}  // namespace
}  // namespace mcv::cli::client_test
