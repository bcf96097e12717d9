// SPDX-License-Identifier: Apache-2.0
// Streams between two daemons: the real network and the simulated one, held to the same.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <optional>

#include "cluster/core/sha256.h"
#include "cluster/host/wakeup.h"
#include "daemon/host/node_key.h"
#include "daemon/host/peer_listener.h"
#include "daemon/host/real_peer_network.h"
#include "loopback.h"
#include "on_loop.h"
#include "world/sim_peer.h"

namespace mcv::host {
namespace {

using namespace std::chrono_literals;
using boost::asio::awaitable;
using std::chrono::milliseconds;

/// Two daemons on this machine.
class RealPair {
 public:
  RealPair() {
    NodeKey key_a = NodeKey::generate().value();
    NodeKey key_b = NodeKey::generate().value();
    a_ = RealPeerNetwork::make(loop_.get_executor(), std::move(key_a)).value();
    b_ = RealPeerNetwork::make(loop_.get_executor(), std::move(key_b)).value();
  }
  ~RealPair() {
    test::on_loop(loop_, a_->stop());
    end_b();
  }
  PeerNetwork& a() { return *a_; }
  PeerNetwork& b() { return *b_; }
  boost::asio::any_io_executor executor_b() { return loop_.get_executor(); }
  PeerEndpoint endpoint_b() { return {"127.0.0.1", port_, key_of_b()}; }
  KeyFingerprint key_of_b() { return b_->own_fingerprint(); }
  template <typename T>
  T run(awaitable<T> work) {
    return test::on_loop(loop_, std::move(work));
  }
  template <typename Condition>
  bool wait(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + test::test_deadline;
    loop_.restart();
    while (!condition() && std::chrono::steady_clock::now() < end) loop_.run_one_for(100ms);
    return condition();
  }
  /// As long as anything moves.
  void settle() {
    loop_.restart();
    while (loop_.run_one_for(300ms) != 0) loop_.restart();
  }
  void end_b() {
    if (!b_ended_) test::on_loop(loop_, b_->stop());
    b_ended_ = true;
  }

 private:
  boost::asio::io_context loop_;
  std::unique_ptr<RealPeerNetwork> a_;
  std::unique_ptr<RealPeerNetwork> b_;
  bool b_ended_ = false;
  std::uint16_t port_ = test::free_port();
};

/// Two lives of daemons in the simulator.
class SimPair {
 public:
  SimPair() : world_(scheduler_), life_a_(scheduler_.new_owner()), life_b_(scheduler_.new_owner()) {
    a_ = std::make_unique<sim::SimPeer>(scheduler_, life_a_, world_, sha256_hex("a"));
    b_ = std::make_unique<sim::SimPeer>(scheduler_, life_b_, world_, sha256_hex("b"));
  }
  ~SimPair() {
    end_b();
    scheduler_.drop(life_a_);
  }
  PeerNetwork& a() { return *a_; }
  PeerNetwork& b() { return *b_; }
  boost::asio::any_io_executor executor_b() { return scheduler_.executor(life_b_); }
  PeerEndpoint endpoint_b() { return {"127.0.0.1", 8801, key_of_b()}; }
  KeyFingerprint key_of_b() { return sha256_hex("b"); }
  template <typename T>
  T run(awaitable<T> work) {
    std::optional<T> value;
    boost::asio::co_spawn(scheduler_.executor(life_a_), std::move(work), [&value](std::exception_ptr error, T result) {
      if (error) std::rethrow_exception(error);
      value.emplace(std::move(result));
    });
    if (!wait([&value]() { return value.has_value(); })) throw std::runtime_error("the test did not end within its deadline");
    return std::move(*value);
  }
  template <typename Condition>
  bool wait(Condition condition) {
    return scheduler_.run_until(condition, 60s);
  }
  void settle() {
    scheduler_.run_until([]() { return false; }, 5s);
  }
  void end_b() {
    scheduler_.drop(life_b_);
    b_.reset();
  }

 private:
  sim::Scheduler scheduler_{1};
  sim::SimPeerWorld world_;
  sim::Owner life_a_;
  sim::Owner life_b_;
  std::unique_ptr<sim::SimPeer> a_;
  std::unique_ptr<sim::SimPeer> b_;
};

/// The served side: gives what the test put there and notes what came.
struct Guest {
  explicit Guest(boost::asio::any_io_executor executor) : changed(executor) {}
  std::string prints;               ///< to be read, once
  std::size_t endless = 0;          ///< and then so many bytes more
  std::size_t given = 0;
  bool ended = false;
  std::string typed;
  int watched = 0;                  ///< streams that are open
  host::Wakeup changed;
};

constexpr std::size_t piece = 16 * 1024;

class GuestStream final : public ByteStream {
 public:
  explicit GuestStream(std::shared_ptr<Guest> guest) : guest_(std::move(guest)) { ++guest_->watched; }
  ~GuestStream() override { --guest_->watched; }
  awaitable<Result<std::string>> read_some() override {
    while (guest_->prints.empty() && guest_->endless == 0 && !guest_->ended) co_await guest_->changed.wait();
    std::string bytes = std::exchange(guest_->prints, {});
    if (bytes.empty() && guest_->endless != 0) {
      bytes.assign(std::min(piece, guest_->endless), static_cast<char>('a' + guest_->given / piece % 26));
      guest_->endless -= bytes.size();
      guest_->given += bytes.size();
    }
    co_return bytes;
  }
  awaitable<Status> write(std::string bytes) override {
    guest_->typed += bytes;
    co_return success();
  }
  void close() override {}

 private:
  std::shared_ptr<Guest> guest_;
};

struct Asked {
  KeyFingerprint caller;
  HttpRequest request;
  int count = 0;
};

awaitable<PeerReply> serve(std::shared_ptr<Guest> guest, std::shared_ptr<Asked> asked, KeyFingerprint caller, HttpRequest request) {
  asked->caller = std::move(caller);
  asked->request = std::move(request);
  ++asked->count;
  PeerReply reply;
  if (asked->request.upgrade == "mcv-console") {
    reply = std::make_unique<GuestStream>(guest);
  } else {
    HttpResponse refused;
    refused.status = 409;
    refused.body = "refused";
    reply = std::move(refused);
  }
  co_return reply;
}

using Stream = std::unique_ptr<ByteStream>;

template <typename Pair>
class PeerStream : public testing::Test {
 protected:
  PeerStream() : guest_(std::make_shared<Guest>(pair_.executor_b())) {
    const auto handler = [guest = guest_, asked = asked_](KeyFingerprint caller, HttpRequest request) { return serve(guest, asked, std::move(caller), std::move(request)); };
    EXPECT_TRUE(pair_.b().listen(pair_.endpoint_b().address, pair_.endpoint_b().port, handler).ok());
  }
  ~PeerStream() override { end_b(); }
  /// The simulator drops a daemon as a crash does; what waits for the guest goes when the guest is heard of.
  void end_b() {
    pair_.end_b();
    guest_->changed.notify();
  }
  Result<PeerReply> ask(std::string protocol, PeerEndpoint endpoint) {
    HttpRequest request;
    request.method = "POST";
    request.target = "/peer/test";
    request.body = "{}";
    request.upgrade = std::move(protocol);
    return pair_.run(pair_.a().upgrade(std::move(endpoint), std::move(request), milliseconds(20'000)));
  }
  Stream open() {
    auto reply = ask("mcv-console", pair_.endpoint_b());
    if (!reply.ok()) throw std::runtime_error(reply.error().message());
    return std::get<Stream>(std::move(*reply));
  }
  /// Until this much is there or the stream ends.
  std::string read(ByteStream& stream, std::size_t wanted) {
    std::string text;
    while (text.size() < wanted) {
      const auto bytes = pair_.run(stream.read_some());
      if (!bytes.ok() || bytes->empty()) break;
      text += *bytes;
    }
    return text;
  }
  void print(const std::string& text) {
    guest_->prints += text;
    guest_->changed.notify();
  }

  Pair pair_;
  std::shared_ptr<Guest> guest_;
  std::shared_ptr<Asked> asked_ = std::make_shared<Asked>();
};

using Pairs = testing::Types<RealPair, SimPair>;
TYPED_TEST_SUITE(PeerStream, Pairs);

TYPED_TEST(PeerStream, CarriesBytesBothWaysForAProvenKey) {
  const Stream stream = this->open();
  EXPECT_EQ(this->asked_->caller, this->pair_.a().own_fingerprint());
  EXPECT_EQ(this->asked_->request.upgrade, "mcv-console");
  EXPECT_EQ(this->asked_->request.body, "{}");
  this->print("login: ");
  EXPECT_EQ(this->read(*stream, 7), "login: ");
  EXPECT_TRUE(this->pair_.run(stream->write("root\n")).ok());
  EXPECT_TRUE(this->pair_.wait([this]() { return this->guest_->typed == "root\n"; }));
}

TYPED_TEST(PeerStream, ARefusalIsAnAnswer) {
  const auto reply = this->ask("something-else", this->pair_.endpoint_b());
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(std::get<HttpResponse>(*reply).status, 409);
  EXPECT_EQ(std::get<HttpResponse>(*reply).body, "refused");
}

TYPED_TEST(PeerStream, AnotherKeyIsNotAsked) {
  PeerEndpoint endpoint = this->pair_.endpoint_b();
  endpoint.fingerprint = this->pair_.a().own_fingerprint();
  EXPECT_EQ(this->ask("mcv-console", endpoint).error().code(), ErrorCode::peer_key_mismatch);
  EXPECT_EQ(this->asked_->count, 0);
}

TYPED_TEST(PeerStream, NobodyThereIsUnreachable) {
  PeerEndpoint endpoint = this->pair_.endpoint_b();
  ++endpoint.port;
  EXPECT_EQ(this->ask("mcv-console", endpoint).error().code(), ErrorCode::peer_unreachable);
}

TYPED_TEST(PeerStream, HangingUpHereEndsTheStreamThere) {
  Stream stream = this->open();
  EXPECT_EQ(this->guest_->watched, 1);
  stream.reset();
  EXPECT_TRUE(this->pair_.wait([this]() { return this->guest_->watched == 0; }));
}

TYPED_TEST(PeerStream, TheEndThereIsTheEndHereAfterTheLastByte) {
  const Stream stream = this->open();
  this->guest_->ended = true;
  this->print("bye");
  EXPECT_EQ(this->read(*stream, 100), "bye");
  EXPECT_TRUE(this->pair_.wait([this]() { return this->guest_->watched == 0; }));
  const auto after = this->pair_.run(stream->read_some());
  EXPECT_TRUE(after.ok() && after->empty());
}

TYPED_TEST(PeerStream, ADaemonThatGoesInTheMiddleEndsTheStream) {
  const Stream stream = this->open();
  this->print("half a li");
  EXPECT_EQ(this->read(*stream, 9), "half a li");
  this->end_b();
  const auto after = this->pair_.run(stream->read_some());
  EXPECT_TRUE(!after.ok() || after->empty());
  EXPECT_EQ(this->guest_->watched, 0) << "nothing of it is left there";
  // It may have been sent before the news came; not for ever.
  bool refused = false;
  for (int tries = 0; tries < 100 && !refused; ++tries) refused = !this->pair_.run(stream->write("are you there?\n")).ok();
  EXPECT_TRUE(refused);
}

TYPED_TEST(PeerStream, ManyViewersSeeTheirOwnStream) {
  const Stream one = this->open();
  const Stream two = this->open();
  EXPECT_EQ(this->guest_->watched, 2);
  EXPECT_TRUE(this->pair_.run(one->write("1")).ok());
  EXPECT_TRUE(this->pair_.wait([this]() { return this->guest_->typed == "1"; }));
  EXPECT_TRUE(this->pair_.run(two->write("2")).ok());
  EXPECT_TRUE(this->pair_.wait([this]() { return this->guest_->typed == "12"; }));
}

TYPED_TEST(PeerStream, ASlowReaderStopsTheSourceAndLosesNothing) {
  constexpr std::size_t all = std::size_t{48} << 20;
  const Stream stream = this->open();
  this->guest_->endless = all;
  this->guest_->changed.notify();
  this->pair_.settle();
  EXPECT_LT(this->guest_->given, all / 2) << "only buffers on the way are filled";
  std::size_t got = 0;
  while (got < all) {
    const auto bytes = this->pair_.run(stream->read_some());
    ASSERT_TRUE(bytes.ok() && !bytes->empty()) << "after " << got;
    EXPECT_LE(bytes->size(), 64u * 1024);
    for (std::size_t at = 0; at < bytes->size(); at += 997) {
      ASSERT_EQ((*bytes)[at], static_cast<char>('a' + (got + at) / piece % 26)) << "byte " << got + at;
    }
    got += bytes->size();
  }
  EXPECT_EQ(got, all);
}

using RealPeerStream = PeerStream<RealPair>;

TEST_F(RealPeerStream, HoweverManyAreWatchedARequestFindsItsPlace) {
  std::vector<Stream> streams;
  for (std::size_t i = 0; i < PeerListener::stream_limit; ++i) streams.push_back(open());
  const auto one_more = ask("mcv-console", pair_.endpoint_b());
  ASSERT_TRUE(one_more.ok());
  EXPECT_EQ(std::get<HttpResponse>(*one_more).status, too_many_streams);
  HttpRequest plain;
  plain.method = "POST";
  plain.target = "/peer/test";
  EXPECT_EQ(pair_.run(pair_.a().call(pair_.endpoint_b(), std::move(plain), milliseconds(20'000)))->status, 409);
  streams.pop_back();
  EXPECT_TRUE(pair_.wait([this]() { return guest_->watched == static_cast<int>(PeerListener::stream_limit) - 1; }));
  streams.push_back(open());
}

}  // namespace
}  // namespace mcv::host
