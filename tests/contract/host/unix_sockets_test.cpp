// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/host/real_unix_sockets.h"
#include "loopback.h"
#include "on_loop.h"
#include "scratch_directory.h"

namespace mcv::host {
namespace {

using std::chrono::milliseconds;

class RealUnixSocketsTest : public ::testing::Test {
 protected:
  Result<HttpResponse> get(const std::string& target = "/", milliseconds deadline = milliseconds(20'000)) {
    HttpRequest request;
    request.target = target;
    return test::on_loop(loop_, sockets_.http(path_, std::move(request), deadline));
  }
  Result<HttpResponse> answered_with(const std::string& answer, bool hold_open = false) {
    const test::OddServer server(path_, answer, hold_open);
    auto response = get();
    ::unlink(path_.c_str());
    return response;
  }

  boost::asio::io_context loop_;
  RealUnixSockets sockets_{loop_.get_executor()};
  test::ScratchDirectory scratch_;
  std::string path_ = scratch_.file("sock");
};

TEST_F(RealUnixSocketsTest, TakesAPlainAnswer) {
  const auto response = answered_with("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  ASSERT_TRUE(response.ok()) << response.error().message();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "hello");
}

TEST_F(RealUnixSocketsTest, TakesCloudHypervisorsAnswers) {
  for (const std::string line : {"HTTP/1.1 204 \r\n", "HTTP/1.1 204\r\n"}) {
    const auto response = answered_with(line + "Server: Cloud Hypervisor API\r\nConnection: keep-alive\r\n\r\n", true);
    ASSERT_TRUE(response.ok()) << response.error().message();
    EXPECT_EQ(response->status, 204);
  }
  const auto error = answered_with("HTTP/1.1 500 \r\nServer: x\r\nConnection: keep-alive\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n[\"a\",\"b\"]", true);
  ASSERT_TRUE(error.ok());
  EXPECT_EQ(error->status, 500);
  EXPECT_EQ(error->body, "[\"a\",\"b\"]");
}

TEST_F(RealUnixSocketsTest, AnOpenConnectionWithoutALengthHasNoBody) {
  const auto response = answered_with("HTTP/1.1 200 \r\nConnection: keep-alive\r\n\r\n", true);
  ASSERT_TRUE(response.ok()) << response.error().message();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "");
}

TEST_F(RealUnixSocketsTest, TakesChunksInterimAnswersAndBodiesUpToTheEnd) {
  EXPECT_EQ(answered_with("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", true)->body, "abcde");
  EXPECT_EQ(answered_with("HTTP/1.1 100 \r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", true)->body, "x");
  EXPECT_EQ(answered_with("HTTP/1.0 200 OK\r\n\r\nto the end")->body, "to the end");
  EXPECT_EQ(answered_with("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end")->body, "to the end");
}

TEST_F(RealUnixSocketsTest, HalfAnAnswerIsALostConnection) {
  for (const std::string half : {"", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"}) {
    const auto response = answered_with(half);
    ASSERT_FALSE(response.ok()) << half;
    EXPECT_EQ(response.error().code(), ErrorCode::connection_lost) << half;
  }
}

TEST_F(RealUnixSocketsTest, WhatIsNotHttpIsNamedSo) {
  EXPECT_EQ(answered_with("SSH-2.0-OpenSSH_9.2\r\n\r\n").error().code(), ErrorCode::bad_output);
  EXPECT_EQ(answered_with("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n").error().code(), ErrorCode::too_large);
}

TEST_F(RealUnixSocketsTest, ASilentServerMeetsTheDeadline) {
  const test::OddServer server(path_, "", true);
  const auto response = get("/", milliseconds(200));
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code(), ErrorCode::timed_out);
}

TEST_F(RealUnixSocketsTest, TellsAMissingSocketFromADeadOne) {
  EXPECT_EQ(get().error().code(), ErrorCode::not_found);
  {
    boost::asio::io_context other;
    boost::asio::local::stream_protocol::acceptor gone(other, boost::asio::local::stream_protocol::endpoint(path_));
  }
  EXPECT_EQ(get().error().code(), ErrorCode::daemon_unreachable);
  path_.assign(200, 'x');
  EXPECT_EQ(get().error().code(), ErrorCode::bad_request);
}

TEST_F(RealUnixSocketsTest, ARequestCannotBreakOutOfItsLine) {
  EXPECT_EQ(get("/a\r\nX: y").error().code(), ErrorCode::bad_request);
  EXPECT_EQ(get("/a b").error().code(), ErrorCode::bad_request);
  EXPECT_EQ(get("a").error().code(), ErrorCode::bad_request);
}

TEST_F(RealUnixSocketsTest, SendsNoLengthForAnEmptyBody) {
  const test::OddServer server(path_, "HTTP/1.1 204 \r\n\r\n", true);
  HttpRequest request;
  request.method = "PUT";
  request.target = "/api/v1/vm.boot";
  ASSERT_TRUE(test::on_loop(loop_, sockets_.http(path_, std::move(request), milliseconds(5'000))).ok());
  EXPECT_EQ(server.request().find("Content-Length"), std::string::npos) << server.request();
}

TEST_F(RealUnixSocketsTest, AByteStreamCarriesBothDirectionsAndItsEnd) {
  boost::asio::local::stream_protocol::acceptor acceptor(loop_, boost::asio::local::stream_protocol::endpoint(path_));
  auto talk = [](RealUnixSockets* sockets, std::string path, boost::asio::local::stream_protocol::acceptor* listening) -> boost::asio::awaitable<std::string> {
    auto near = co_await sockets->connect(std::move(path));
    auto socket = co_await listening->async_accept(boost::asio::use_awaitable);
    auto far = make_byte_stream(std::move(socket), "first ");
    const Status written = co_await (*near)->write("second");
    if (!written.ok()) co_return written.error().message();
    const auto one = co_await far->read_some();
    const auto two = co_await far->read_some();
    (*near)->close();
    const auto end = co_await far->read_some();
    co_return one.value() + two.value() + "[" + end.value() + "]";
  };
  EXPECT_EQ(test::on_loop(loop_, talk(&sockets_, path_, &acceptor)), "first second[]");
}

TEST_F(RealUnixSocketsTest, SendsADatagramOrSaysWhyNot) {
  EXPECT_EQ(sockets_.send_datagram(path_, "x").error().code(), ErrorCode::not_found);
  const int receiver = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(receiver, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_TRUE(sockets_.send_datagram(path_, "event").ok());
  std::array<char, 16> bytes{};
  EXPECT_EQ(::recv(receiver, bytes.data(), bytes.size(), 0), 5);
  ::close(receiver);
}

}  // namespace
}  // namespace mcv::host
