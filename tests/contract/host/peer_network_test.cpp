// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

#include "daemon/host/node_key.h"
#include "daemon/host/peer_tls.h"
#include "daemon/host/real_peer_network.h"
#include "loopback.h"
#include "on_loop.h"

namespace mcv::host {
namespace {

using boost::asio::ip::tcp;
using std::chrono::milliseconds;

class RealPeerNetworkTest : public ::testing::Test {
 protected:
  struct Seen {
    KeyFingerprint caller;
    HttpRequest request;
    int count = 0;
  };

  void SetUp() override {
    NodeKey key_a = NodeKey::generate().value();
    NodeKey key_b = NodeKey::generate().value();
    a_ = RealPeerNetwork::make(loop_.get_executor(), std::move(key_a)).value();
    b_ = RealPeerNetwork::make(loop_.get_executor(), std::move(key_b)).value();
  }
  void TearDown() override {
    test::on_loop(loop_, a_->stop());
    test::on_loop(loop_, b_->stop());
  }

  static boost::asio::awaitable<PeerReply> answer(Seen* seen, KeyFingerprint caller, HttpRequest request) {
    seen->caller = std::move(caller);
    seen->request = std::move(request);
    ++seen->count;
    HttpResponse response;
    response.status = 200;
    response.body = "echo:" + seen->request.body;
    co_return response;
  }
  Status listen_b() {
    Seen* seen = &seen_;
    return b_->listen("127.0.0.1", port_, [seen](KeyFingerprint caller, HttpRequest request) { return answer(seen, std::move(caller), std::move(request)); });
  }
  PeerEndpoint b() const {
    PeerEndpoint endpoint;
    endpoint.address = "127.0.0.1";
    endpoint.port = port_;
    endpoint.fingerprint = b_->own_fingerprint();
    return endpoint;
  }
  Result<HttpResponse> call(PeerEndpoint endpoint, std::string body = "{}", milliseconds deadline = milliseconds(20'000)) {
    HttpRequest request;
    request.method = "POST";
    request.target = "/peer/test";
    request.body = std::move(body);
    request.headers["x-mcv-test"] = "1";
    return test::on_loop(loop_, a_->call(std::move(endpoint), std::move(request), deadline));
  }

  boost::asio::io_context loop_;
  std::unique_ptr<RealPeerNetwork> a_;
  std::unique_ptr<RealPeerNetwork> b_;
  std::uint16_t port_ = test::free_port();
  Seen seen_;
};

TEST_F(RealPeerNetworkTest, ARefusalIsAnAnswerAndSilenceIsNone) {
  ASSERT_TRUE(listen_b().ok());
  EXPECT_TRUE(test::on_loop(loop_, a_->answers(b(), milliseconds(5'000))));
  PeerEndpoint nobody = b();
  nobody.port = test::free_port();
  EXPECT_TRUE(test::on_loop(loop_, a_->answers(nobody, milliseconds(5'000)))) << "a machine that refuses has power";
  // A listener whose queue is full drops what comes, as a machine without power does. (An address of nowhere would not do: a
  // gateway may answer for it.)
  tcp::acceptor full(loop_, tcp::v4());
  full.bind(tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), 0));
  full.listen(0);
  tcp::socket in_the_queue(loop_);
  in_the_queue.connect(full.local_endpoint());
  PeerEndpoint silent = b();
  silent.port = full.local_endpoint().port();
  EXPECT_FALSE(test::on_loop(loop_, a_->answers(silent, milliseconds(300))));
}

TEST_F(RealPeerNetworkTest, CarriesARequestAndTheCallersKey) {
  ASSERT_TRUE(listen_b().ok());
  const auto response = call(b(), "hello");
  ASSERT_TRUE(response.ok()) << response.error().message();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "echo:hello");
  EXPECT_EQ(seen_.caller, a_->own_fingerprint());
  EXPECT_EQ(seen_.request.method, "POST");
  EXPECT_EQ(seen_.request.target, "/peer/test");
  EXPECT_EQ(seen_.request.headers["x-mcv-test"], "1");
}

TEST_F(RealPeerNetworkTest, AnotherKeyIsRefusedBeforeTheRequestIsSent) {
  ASSERT_TRUE(listen_b().ok());
  PeerEndpoint wrong = b();
  wrong.fingerprint = a_->own_fingerprint();
  const auto response = call(wrong, "secret");
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code(), ErrorCode::peer_key_mismatch);
  EXPECT_NE(response.error().message().find(b_->own_fingerprint()), std::string::npos);
  wrong.fingerprint.clear();
  EXPECT_EQ(call(wrong).error().code(), ErrorCode::peer_key_mismatch);
  EXPECT_EQ(seen_.count, 0);
}

TEST_F(RealPeerNetworkTest, BigBodiesPassUpToTheLimit) {
  ASSERT_TRUE(listen_b().ok());
  const auto big = call(b(), std::string(4'000'000, 'b'));
  ASSERT_TRUE(big.ok()) << big.error().message();
  EXPECT_EQ(big->body.size(), 4'000'005u);
  EXPECT_EQ(call(b(), std::string(5'000'000, 'b')).error().code(), ErrorCode::too_large) << "refused before it is sent";
  EXPECT_EQ(seen_.count, 1);
}

TEST_F(RealPeerNetworkTest, NobodyThereIsUnreachable) {
  const auto response = call(b());
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code(), ErrorCode::peer_unreachable);
}

TEST_F(RealPeerNetworkTest, ASilentMachineIsUnreachableWithinTheDeadline) {
  // Connected in the kernel's queue, never accepted: the handshake gets no answer.
  tcp::acceptor silent(loop_, tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), port_));
  const auto before = std::chrono::steady_clock::now();
  const auto response = call(b(), "{}", milliseconds(300));
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code(), ErrorCode::peer_unreachable);
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
}

/// A TLS server with b's kind of key that takes the request and then behaves badly.
class HalfServer {
 public:
  HalfServer(std::uint16_t port, std::string answer, bool hold_open)
      : key_(NodeKey::generate().value()), acceptor_(loop_, tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), port)), thread_([this, answer, hold_open]() {
          serve(answer, hold_open);
        }) {}
  ~HalfServer() { thread_.join(); }
  KeyFingerprint fingerprint() const { return key_.fingerprint(); }

 private:
  void serve(const std::string& answer, bool hold_open) {
    boost::system::error_code code;
    const auto context = make_tls_context(key_).value();
    TlsStream stream(acceptor_.accept(), *context);
    stream.handshake(boost::asio::ssl::stream_base::server, code);
    std::array<char, 4096> chunk;
    if (!code) stream.read_some(boost::asio::buffer(chunk), code);
    if (!code) boost::asio::write(stream, boost::asio::buffer(answer), code);
    while (hold_open && !code) stream.read_some(boost::asio::buffer(chunk), code);
  }

  NodeKey key_;
  boost::asio::io_context loop_;
  tcp::acceptor acceptor_;
  std::thread thread_;
};

TEST_F(RealPeerNetworkTest, HalfAnAnswerIsAnUnknownOutcome) {
  for (const std::string half : {"", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"}) {
    const HalfServer server(port_, half, false);
    PeerEndpoint endpoint = b();
    endpoint.fingerprint = server.fingerprint();
    const auto response = call(endpoint);
    ASSERT_FALSE(response.ok());
    EXPECT_EQ(response.error().code(), ErrorCode::outcome_unknown) << half;
  }
}

TEST_F(RealPeerNetworkTest, NoAnswerWithinTheDeadlineIsAnUnknownOutcome) {
  const HalfServer server(port_, "", true);
  PeerEndpoint endpoint = b();
  endpoint.fingerprint = server.fingerprint();
  const auto response = call(endpoint, "{}", milliseconds(500));
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code(), ErrorCode::outcome_unknown);
}

TEST_F(RealPeerNetworkTest, ACallerWithoutAKeyNeverReachesTheHandler) {
  ASSERT_TRUE(listen_b().ok());
  std::thread stranger([this]() {
    boost::asio::io_context loop;
    boost::asio::ssl::context context(boost::asio::ssl::context::tls);
    TlsStream stream(loop, context);
    boost::system::error_code code;
    stream.next_layer().connect(tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), port_), code);
    if (!code) stream.handshake(boost::asio::ssl::stream_base::client, code);
    const std::string request = "GET /peer/test HTTP/1.1\r\nHost: x\r\n\r\n";
    if (!code) boost::asio::write(stream, boost::asio::buffer(request), code);
    std::array<char, 256> chunk;
    while (!code) stream.read_some(boost::asio::buffer(chunk), code);
  });
  loop_.restart();
  loop_.run_for(milliseconds(300));
  stranger.join();
  EXPECT_EQ(seen_.count, 0);
  EXPECT_TRUE(call(b()).ok());
  EXPECT_EQ(seen_.count, 1);
}

TEST_F(RealPeerNetworkTest, PlainTextOnThePortDoesNoHarm) {
  ASSERT_TRUE(listen_b().ok());
  std::thread stranger([this]() {
    boost::asio::io_context loop;
    tcp::socket socket(loop);
    boost::system::error_code code;
    socket.connect(tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), port_), code);
    const std::string request = "GET / HTTP/1.1\r\n\r\n";
    boost::asio::write(socket, boost::asio::buffer(request), code);
    std::array<char, 256> chunk;
    while (!code) socket.read_some(boost::asio::buffer(chunk), code);
  });
  loop_.restart();
  loop_.run_for(milliseconds(200));
  stranger.join();
  EXPECT_TRUE(call(b()).ok());
}

TEST_F(RealPeerNetworkTest, ListeningMovesAndStops) {
  ASSERT_TRUE(listen_b().ok());
  ASSERT_TRUE(listen_b().ok()) << "again on the same port";
  ASSERT_TRUE(call(b()).ok());
  ASSERT_TRUE(b_->listen("", 0, nullptr).ok());
  EXPECT_EQ(call(b()).error().code(), ErrorCode::peer_unreachable);
}

TEST_F(RealPeerNetworkTest, SaysWhyItCannotListen) {
  EXPECT_EQ(b_->listen("node-b", 8801, nullptr).error().code(), ErrorCode::bad_request);
  EXPECT_EQ(b_->listen("192.0.2.1", 8801, nullptr).error().code(), ErrorCode::address_not_local);
  tcp::acceptor other(loop_, tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), port_));
  EXPECT_EQ(listen_b().error().code(), ErrorCode::in_use);
}

TEST_F(RealPeerNetworkTest, NoNameIsLookedUp) {
  PeerEndpoint endpoint = b();
  endpoint.address = "localhost";
  EXPECT_EQ(call(endpoint).error().code(), ErrorCode::bad_request);
}

TEST_F(RealPeerNetworkTest, ManyCallsAtOnce) {
  ASSERT_TRUE(listen_b().ok());
  auto one = [](RealPeerNetwork* network, PeerEndpoint endpoint, int* good) -> boost::asio::awaitable<void> {
    HttpRequest request;
    request.target = "/x";
    const auto response = co_await network->call(std::move(endpoint), std::move(request), milliseconds(20'000));
    if (response.ok()) ++*good;
  };
  TaskGroup tasks(loop_.get_executor());
  int good = 0;
  for (int i = 0; i < 50; ++i) tasks.spawn(one(a_.get(), b(), &good));
  test::on_loop(loop_, tasks.join());
  EXPECT_EQ(good, 50);
}

TEST(NodeKeyTest, SurvivesItsFileAndDiffersFromEveryOther) {
  const NodeKey key = NodeKey::generate().value();
  const std::string pem = key.to_pem().value();
  EXPECT_EQ(NodeKey::from_pem(pem)->fingerprint(), key.fingerprint());
  EXPECT_EQ(key.fingerprint().size(), 64u);
  EXPECT_NE(NodeKey::generate()->fingerprint(), key.fingerprint());
  EXPECT_FALSE(NodeKey::from_pem("").ok());
  EXPECT_FALSE(NodeKey::from_pem(pem.substr(0, pem.size() / 2)).ok());
  const std::string other = NodeKey::generate()->to_pem().value();
  const std::string mixed = pem.substr(0, pem.find("-----BEGIN CERT")) + other.substr(other.find("-----BEGIN CERT"));
  EXPECT_FALSE(NodeKey::from_pem(mixed).ok());
}

}  // namespace
}  // namespace mcv::host
