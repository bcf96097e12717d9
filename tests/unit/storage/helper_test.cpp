// SPDX-License-Identifier: Apache-2.0
// The real program against real sockets, as the kernel starts it: descriptors 0 to 2 closed, almost no environment.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <string>

#include "storage/drbd/helper/fence_protocol.h"

namespace {

using namespace std::chrono_literals;

class Socket {
 public:
  Socket(const std::string& path, int type) : descriptor_(socket(AF_UNIX, type | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    EXPECT_EQ(bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << path;
    if (type == SOCK_STREAM) {
      EXPECT_EQ(listen(descriptor_, 4), 0);
    }
  }
  ~Socket() { close(descriptor_); }
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

std::string receive(int descriptor) {
  pollfd ready{descriptor, POLLIN, 0};
  if (poll(&ready, 1, 10'000) != 1) return "nothing";
  char buffer[512];
  const ssize_t count = recv(descriptor, buffer, sizeof buffer, 0);
  return count > 0 ? std::string(buffer, static_cast<std::size_t>(count)) : "";
}

class Helper : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/mcv-helper-XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string requests() const { return directory_ + "/request.sock"; }
  std::string events() const { return directory_ + "/event.sock"; }

  pid_t start(const char* event, const char* resource, int bound_ms) {
    const std::string bound = std::to_string(bound_ms);
    const std::string request_path = requests();
    const std::string event_path = events();
    const pid_t child = fork();
    if (child != 0) return child;
    for (const int descriptor : {0, 1, 2}) close(descriptor);
    const char* arguments[] = {MCV_DRBD_HELPER, event, resource, request_path.c_str(), event_path.c_str(), bound.c_str(), nullptr};
    const char* environment[] = {"HOME=/", "DRBD_PEER_AF=ipv4", "DRBD_PEER_ADDRESS=10.77.1.12", "ASAN_OPTIONS=detect_leaks=0", nullptr};
    execve(MCV_DRBD_HELPER, const_cast<char**>(arguments), const_cast<char**>(environment));
    _exit(99);
  }
  static int exit_of(pid_t child) {
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  /// Answers one request with `answer` and returns the program's exit code.
  int exit_after(const std::string& answer) {
    const Socket server(requests(), SOCK_STREAM);
    const pid_t child = start("fence-peer", "mcv-vm1-0", 10'000);
    const int connection = accept(server.get(), nullptr, nullptr);
    request_ = receive(connection);
    EXPECT_EQ(send(connection, answer.data(), answer.size(), MSG_NOSIGNAL), static_cast<ssize_t>(answer.size()));
    close(connection);
    const int code = exit_of(child);
    std::filesystem::remove(requests());
    return code;
  }
  std::string directory_;
  std::string request_;
};

TEST_F(Helper, PassesMcvdsAnswerOn) {
  for (const int code : {3, 4, 5, 6, 7}) EXPECT_EQ(exit_after("{\"exit\":" + std::to_string(code) + "}\n"), code);
  EXPECT_EQ(request_, "{\"event\":\"fence-peer\",\"resource\":\"mcv-vm1-0\",\"peer_address\":\"10.77.1.12\"}\n");
}

TEST_F(Helper, AnythingElseIsNoAnswer) {
  for (const char* answer : {"", "7\n", "{\"exit\":7}", "{\"exit\":0}\n", "{\"exit\":8}\n", "{\"exit\":77}\n", "{\"exit\": 7}\n", "{\"exit\":7} \n", "\n"}) {
    EXPECT_EQ(exit_after(answer), 1) << answer;
  }
}

TEST_F(Helper, NobodyThereIsNoAnswerInBoundedTime) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(exit_of(start("fence-peer", "mcv-vm1-0", 300)), 1);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST_F(Helper, ASilentDaemonIsNoAnswerPastTheBound) {
  const Socket server(requests(), SOCK_STREAM);  // connects into the backlog, nobody accepts
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(exit_of(start("fence-peer", "mcv-vm1-0", 500)), 1);
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(took, 450ms);
  EXPECT_LT(took, 10s);
}

TEST_F(Helper, ADaemonThatComesBackIsAsked) {
  const pid_t child = start("fence-peer", "mcv-vm1-0", 20'000);
  const Socket server(requests(), SOCK_STREAM);
  const int connection = accept(server.get(), nullptr, nullptr);
  receive(connection);
  const std::string answer = "{\"exit\":4}\n";
  EXPECT_GT(send(connection, answer.data(), answer.size(), MSG_NOSIGNAL), 0);
  close(connection);
  EXPECT_EQ(exit_of(child), 4);
}

TEST_F(Helper, OtherEventsAreTellAndGo) {
  EXPECT_EQ(exit_of(start("split-brain", "minor-7", 10'000)), 0);  // nobody listens
  const Socket server(events(), SOCK_DGRAM);
  EXPECT_EQ(exit_of(start("before-resync-target", "minor-7", 10'000)), 0);
  EXPECT_EQ(receive(server.get()), "{\"event\":\"before-resync-target\",\"resource\":\"minor-7\",\"peer_address\":\"10.77.1.12\"}");
}

TEST_F(Helper, ThePathFitsTheKernelsParameter) { EXPECT_LT(std::string(mcv::drbd::fence::program).size(), 80u); }

}  // namespace
