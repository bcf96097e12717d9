// SPDX-License-Identifier: Apache-2.0
// The real server on a real socket, and clients that do not behave.
#include "daemon/server/unix_http_server.h"

#include <gtest/gtest.h>
#include <malloc.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "daemon/api/router.h"
#include "daemon/host/real_clock.h"
#include "daemon/host/real_unix_sockets.h"

namespace mcv::server {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

/// A client made of plain system calls: sends what it is told, also what is not HTTP.
class RawClient {
 public:
  explicit RawClient(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    connected_ = ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  bool connected() const { return connected_; }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t put = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (put <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return true;
  }
  /// Everything until the server closes, `until` has come, or the deadline passes (then "TIMEOUT" is appended).
  std::string receive(std::string_view until = "\n\n\n", milliseconds deadline = milliseconds(20'000)) {
    std::string text;
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (text.find(until) == std::string::npos) {
      const auto left = std::chrono::duration_cast<milliseconds>(end - std::chrono::steady_clock::now()).count();
      pollfd event{fd_.get(), POLLIN, 0};
      if (left <= 0 || ::poll(&event, 1, static_cast<int>(left)) <= 0) return text + "TIMEOUT";
      std::array<char, 65536> chunk;
      const ssize_t got = ::recv(fd_.get(), chunk.data(), chunk.size(), 0);
      if (got <= 0) return text;
      text.append(chunk.data(), static_cast<std::size_t>(got));
    }
    return text;
  }
  std::string ask(std::string_view bytes, std::string_view until = "\n\n\n") {
    send(bytes);
    return receive(until);
  }
  void close() { fd_.close(); }

 private:
  host::Descriptor fd_;
  bool connected_ = false;
};

class CountingLines : public api::LineSource {
 public:
  CountingLines(asio::any_io_executor loop, int lines, std::atomic<int>* alive) : timer_(loop), left_(lines), alive_(alive) { ++*alive_; }
  ~CountingLines() override { --*alive_; }
  asio::awaitable<std::optional<std::string>> next() override {
    if (left_ == 0) co_return std::nullopt;
    if (left_ < 0) {  // never again: only cancellation ends this
      timer_.expires_after(std::chrono::hours(1));
      co_await timer_.async_wait(asio::use_awaitable);
    }
    co_return "{\"left\":" + std::to_string(left_--) + "}";
  }

 private:
  asio::steady_timer timer_;
  int left_;
  std::atomic<int>* alive_;
};

/// What the client writes comes back, after a greeting.
class EchoStream : public host::ByteStream {
 public:
  EchoStream(asio::any_io_executor loop, std::atomic<int>* alive) : timer_(loop), alive_(alive) { ++*alive_; }
  ~EchoStream() override { --*alive_; }
  asio::awaitable<Result<std::string>> read_some() override {
    while (bytes_.empty() && !closed_) {
      timer_.expires_after(milliseconds(5));
      co_await timer_.async_wait(asio::use_awaitable);
    }
    co_return std::exchange(bytes_, {});
  }
  asio::awaitable<Status> write(std::string bytes) override {
    if (bytes == "quit") closed_ = true;
    else bytes_ += bytes;
    co_return success();
  }
  void close() override { closed_ = true; }

 private:
  asio::steady_timer timer_;
  std::string bytes_ = "boot output;";
  bool closed_ = false;
  std::atomic<int>* alive_;
};

class UnixHttpServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "mcv-server-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    options_.path = directory_ + "/mcvd.sock";
  }
  void TearDown() override {
    stop(milliseconds(5'000));
    std::filesystem::remove_all(directory_);
  }

  static asio::awaitable<api::ApiReply> echo(api::ApiCall call) {
    MCV_CO_TRY(Json body, call.json());
    Json answer{{"body", body}, {"name", call.param("name")}, {"uid", call.caller.uid}, {"pid", call.caller.pid}};
    co_return api::reply(std::move(answer));
  }
  static asio::awaitable<api::ApiReply> lines(UnixHttpServerTest* test, int count) {
    api::LinesReply reply;
    reply.lines = std::make_unique<CountingLines>(test->loop_.get_executor(), count, &test->alive_);
    co_return reply;
  }
  static asio::awaitable<api::ApiReply> console(UnixHttpServerTest* test) {
    api::UpgradeReply reply;
    reply.protocol = "mcv-console";
    reply.stream = std::make_unique<EchoStream>(test->loop_.get_executor(), &test->alive_);
    co_return reply;
  }
  static asio::awaitable<api::ApiReply> slow(UnixHttpServerTest* test, milliseconds duration) {
    ++test->slow_calls_;
    host::RealClock clock(test->loop_.get_executor());
    co_await clock.sleep_for(duration);
    Json answer{{"slow", true}};
    co_return api::reply(std::move(answer));
  }

  /// How many connections there were when the first was answered.
  static asio::awaitable<api::ApiReply> count(UnixHttpServerTest* test) {
    if (test->at_first_answer_ == 0) test->at_first_answer_ = test->server_->connections();
    Json answer = Json::object();
    co_return api::reply(std::move(answer));
  }

  /// A document of 1.5 MiB in memory and 0.6 MiB of text: more than a socket's buffer holds.
  static asio::awaitable<api::ApiReply> big(UnixHttpServerTest* test) {
    ++test->slow_calls_;
    Json answer = Json::array();
    for (int number = 0; number < 100'000; ++number) answer.push_back(number);
    co_return api::reply(std::move(answer));
  }

  void start() {
    router_.add("GET", "/v1/big", access::Permission::self_show, api::Reach::some, [this](api::ApiCall) { return big(this); });
    router_.add("GET", "/v1/count", access::Permission::self_show, api::Reach::some, [this](api::ApiCall) { return count(this); });
    router_.add("POST", "/v1/echo/{name}", access::Permission::self_show, api::Reach::some, [](api::ApiCall call) { return echo(std::move(call)); });
    router_.add("GET", "/v1/lines", access::Permission::self_show, api::Reach::some, [this](api::ApiCall) { return lines(this, 3); });
    router_.add("GET", "/v1/endless", access::Permission::self_show, api::Reach::some, [this](api::ApiCall) { return lines(this, -1); });
    router_.add("GET", "/v1/console", access::Permission::self_show, api::Reach::some, [this](api::ApiCall) { return console(this); });
    router_.add("GET", "/v1/slow", access::Permission::self_show, api::Reach::some, [this](api::ApiCall) { return slow(this, milliseconds(300)); });
    router_.add("GET", "/v1/stuck", access::Permission::self_show, api::Reach::some, [this](api::ApiCall) { return slow(this, milliseconds(3'600'000)); });
    server_.emplace(loop_.get_executor(), options_, [this](api::ApiCall call, std::string target) { return router_.answer(std::move(call), std::move(target)); });
    const Status status = server_->start();
    ASSERT_TRUE(status.ok()) << status.error().message();
    thread_ = std::thread([this]() { loop_.run(); });
  }
  /// Returns how long it took.
  milliseconds stop(milliseconds grace) {
    if (!thread_.joinable()) return milliseconds(0);
    const auto before = std::chrono::steady_clock::now();
    std::promise<void> stopped;
    auto on_end = [&](std::exception_ptr) { stopped.set_value(); };
    asio::co_spawn(loop_, server_->stop(grace), on_end);
    stopped.get_future().wait();
    work_.reset();
    thread_.join();
    EXPECT_EQ(server_->connections(), 0u);
    server_.reset();
    return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - before);
  }
  std::string ask(const std::string& bytes) { return RawClient(options_.path).ask(bytes); }
  static std::string post(const std::string& target, const std::string& body, const std::string& more = "Connection: close\r\n") {
    return "POST " + target + " HTTP/1.1\r\nHost: x\r\n" + more + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  /// Waits for a condition the loop's thread brings about.
  template <typename Condition>
  bool eventually(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }

  std::string directory_;
  ServerOptions options_;
  asio::io_context loop_;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_{loop_.get_executor()};
  api::Router router_{[](const api::ApiCall& call, const api::Need& need) { return access::may({}, api::identity_of(call.caller), need.permission, need.scope).to_status(); }};
  std::optional<UnixHttpServer> server_;
  std::thread thread_;
  std::atomic<int> alive_{0};
  std::atomic<int> slow_calls_{0};
  std::size_t at_first_answer_ = 0;
};

TEST_F(UnixHttpServerTest, AnswersAndKnowsWhoAsks) {
  start();
  const std::string answer = ask(post("/v1/echo/vm1", R"({"a":1})"));
  EXPECT_EQ(answer.rfind("HTTP/1.1 200 OK\r\n", 0), 0u) << answer;
  const Json body = Json::parse(answer.substr(answer.find("\r\n\r\n") + 4));
  EXPECT_EQ(body["body"]["a"], 1);
  EXPECT_EQ(body["name"], "vm1");
  EXPECT_EQ(body["uid"], ::getuid());
  EXPECT_EQ(body["pid"], ::getpid());
}

TEST_F(UnixHttpServerTest, TheSocketIsRootsAlone) {
  start();
  struct stat facts {};
  ASSERT_EQ(::stat(options_.path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777u, 0600u);
}

TEST_F(UnixHttpServerTest, KeepsTheConnectionForSeveralRequestsAlsoPipelined) {
  start();
  RawClient client(options_.path);
  const std::string one = post("/v1/echo/a", "{}", "");
  client.send(one + one);
  client.send(post("/v1/echo/last", "{}"));
  const std::string answers = client.receive();
  std::size_t count = 0;
  for (std::size_t at = answers.find("HTTP/1.1 200"); at != std::string::npos; at = answers.find("HTTP/1.1 200", at + 1)) ++count;
  EXPECT_EQ(count, 3u) << answers;
  EXPECT_NE(answers.find("\"last\""), std::string::npos);
}

TEST_F(UnixHttpServerTest, HostileTextIsAProblemAndTheServerGoesOn) {
  start();
  const struct {
    std::string bytes;
    std::string status;
    std::string code;
  } cases[] = {
      {post("/v1/echo/a", "{\"a\":"), "400", "bad-request"},
      {post("/v1/echo/a", "{\"a\":\"\xff\xfe\"}"), "400", "bad-request"},
      {post("/v1/echo/a", std::string(5000, '[')), "400", "bad-request"},
      {post("/v1/echo/a", "[]"), "400", "bad-request"},
      {post("/v1/../../etc/passwd", "{}"), "400", "bad-request"},
      {post("/v1/echo/%2e%2e%2fetc", "{}"), "400", "bad-request"},
      {post("/v1/echo/\xff\xfe", "{}"), "400", "bad-request"},
      {post("/v1/unknown", "{}"), "404", "unknown-route"},
      {"GET /v1/echo/a HTTP/1.1\r\nConnection: close\r\n\r\n", "404", "unknown-route"},
      {"BREW /v1/lines HTTP/1.1\r\nConnection: close\r\n\r\n", "404", "unknown-route"},
      {"GET http://elsewhere/v1/lines HTTP/1.1\r\nConnection: close\r\n\r\n", "400", "bad-request"},
      {"nonsense\r\n\r\n", "400", "bad-request"},
      {std::string(64, '\0') + "\r\n\r\n", "400", "bad-request"},
      {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n", "400", "bad-request"},
      {"POST /v1/echo/a HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400", "bad-request"},
      {"POST /v1/echo/a HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "400", "bad-request"},
      {"POST /v1/echo/a HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400", "bad-request"},
      {"POST /v1/echo/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", "400", "bad-request"},
      {"POST /v1/echo/a HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", "413", "too-large"},
      {post("/v1/echo/a", std::string(3 << 20, 'x')), "413", "too-large"},
      {"GET /v1/lines HTTP/1.1\r\nX: " + std::string(40'000, 'h') + "\r\n\r\n", "413", "too-large"},
      {"GET /" + std::string(40'000, 'p') + " HTTP/1.1\r\n\r\n", "413", "too-large"},
  };
  for (const auto& hostile : cases) {
    const std::string answer = ask(hostile.bytes);
    EXPECT_EQ(answer.rfind("HTTP/1.1 " + hostile.status, 0), 0u) << hostile.bytes.substr(0, 80) << "\n" << answer.substr(0, 200);
    EXPECT_NE(answer.find("application/problem+json"), std::string::npos) << answer.substr(0, 200);
    EXPECT_NE(answer.find("\"code\":\"" + hostile.code + "\""), std::string::npos) << answer.substr(0, 400);
  }
  EXPECT_EQ(ask(post("/v1/echo/a", "{}")).rfind("HTTP/1.1 200", 0), 0u);
}

/// config/openapi.json and mcvd(8) say them.
TEST(ServerOptions, AreWhatIsDocumented) {
  std::ifstream file(MCV_TEST_DATA "/../../config/openapi.json");
  const Json limits = Json::parse(file).at("info").at("x-mcv-limits");
  const ServerOptions options;
  const auto seconds = [](milliseconds span) { return std::chrono::duration_cast<std::chrono::seconds>(span).count(); };
  const Json actual = {{"header_bytes", options.limits.header_bytes},     {"body_bytes", options.limits.body_bytes},
                       {"json_depth", limits.at("json_depth")},           {"idle_seconds", seconds(options.limits.idle)},
                       {"header_seconds", seconds(options.limits.header)}, {"body_seconds", seconds(options.limits.body)},
                       {"answer_seconds", seconds(options.write_deadline)}, {"connections", options.connection_limit},
                       {"connections_of_one_account", options.per_user_limit}};
  EXPECT_EQ(actual, limits);
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  const auto depth = limits.at("json_depth").get<std::size_t>();
  EXPECT_TRUE(parse_json(nested(depth)).ok());
  EXPECT_FALSE(parse_json(nested(depth + 1)).ok());
}

TEST_F(UnixHttpServerTest, AChunkedBodyIsBoundedToo) {
  start();
  RawClient client(options_.path);
  client.send("POST /v1/echo/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
  int sent = 0;
  while (sent < 64 && client.send(chunk)) ++sent;
  EXPECT_NE(client.receive().find("HTTP/1.1 413"), std::string::npos);
}

TEST_F(UnixHttpServerTest, ASlowClientIsDroppedAtEachStage) {
  options_.limits.idle = milliseconds(300);
  options_.limits.header = milliseconds(300);
  options_.limits.body = milliseconds(300);
  start();
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(RawClient(options_.path).receive(), "") << "nothing sent";
  EXPECT_EQ(ask("POST /v1/echo/a HTTP/1.1\r\nContent-Le"), "") << "half a header";
  EXPECT_EQ(ask("POST /v1/echo/a HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf"), "") << "half a body";
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(10));
  // One byte now and then does not renew the deadline.
  RawClient dripping(options_.path);
  const auto begun = std::chrono::steady_clock::now();
  bool open = true;
  while (open && std::chrono::steady_clock::now() - begun < std::chrono::seconds(10)) {
    open = dripping.send("X") && dripping.receive("never", milliseconds(50)) == "TIMEOUT";
  }
  EXPECT_FALSE(open);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
}

TEST_F(UnixHttpServerTest, AClientThatDoesNotReadIsDropped) {
  options_.write_deadline = milliseconds(300);
  start();
  RawClient client(options_.path);
  const std::string body = "{\"a\":\"" + std::string(900'000, 'x') + "\"}";
  for (int i = 0; i < 3; ++i) {
    if (!client.send(post("/v1/echo/a", body, ""))) break;
  }
  EXPECT_TRUE(eventually([&]() { return RawClient(options_.path).ask(post("/v1/echo/a", "{}")).find("200 OK") != std::string::npos; }));
  const auto before = std::chrono::steady_clock::now();
  EXPECT_LT(stop(milliseconds(20'000)), milliseconds(10'000)) << std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
}

TEST_F(UnixHttpServerTest, WhoDoesNotReadCostsTheTextAndNotTheDocument) {
  start();
  const std::size_t before = ::mallinfo2().uordblks + ::mallinfo2().hblkhd;
  if (before == 0) GTEST_SKIP() << "a sanitizer's allocator does not count";
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<RawClient>(options_.path));
    clients.back()->send("GET /v1/big HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  ASSERT_TRUE(eventually([&]() { return slow_calls_ == 20; }));
  // Its answer comes after theirs were made.
  EXPECT_NE(ask(post("/v1/echo/a", "{}")).find("200 OK"), std::string::npos);
  const std::size_t after = ::mallinfo2().uordblks + ::mallinfo2().hblkhd;
  EXPECT_LT(after - std::min(before, after), std::size_t{20} << 20U);
}

/// Otherwise each would wait until those before it have had all their answers.
TEST_F(UnixHttpServerTest, WhoeverConnectedIsTakenBeforeAnybodyIsAnswered) {
  start();
  std::promise<void> all_there;
  asio::post(loop_, [gone = all_there.get_future().share()] { gone.wait(); });
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 40; ++i) {
    clients.push_back(std::make_unique<RawClient>(options_.path));
    clients.back()->send("GET /v1/count HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  }
  all_there.set_value();
  for (const auto& client : clients) EXPECT_NE(client->receive().find("200 OK"), std::string::npos);
  EXPECT_EQ(at_first_answer_, 40u);
}

TEST_F(UnixHttpServerTest, ThousandsOfConnectionsAreBounded) {
  options_.connection_limit = 32;
  start();
  std::vector<std::unique_ptr<RawClient>> clients;
  std::size_t refused = 0;
  for (int i = 0; i < 3000; ++i) {
    auto client = std::make_unique<RawClient>(options_.path);
    if (clients.size() < 32) {
      clients.push_back(std::move(client));
    } else if (client->receive().find("HTTP/1.1 503") != std::string::npos) {
      ++refused;
    }
  }
  EXPECT_EQ(refused, 2968u);
  clients.clear();
  EXPECT_TRUE(eventually([&]() { return ask(post("/v1/echo/a", "{}")).find("200 OK") != std::string::npos; }));
}

/// A client of that account: the kernel notes who connects, thread by thread.
class ClientOf {
 public:
  ClientOf(uid_t uid, const std::string& path) {
    const auto become = [](uid_t whom) { return ::syscall(SYS_setresuid, -1, whom, -1) == 0; };
    const bool changed = become(uid);
    client_.emplace(path);
    if (!changed || !become(0)) std::abort();
  }
  /// Answered, whatever the answer.
  bool served() { return client_->ask(std::string("GET /v1/lines HTTP/1.1\r\n\r\n"), "}").find("HTTP/1.1 503") == std::string::npos; }

 private:
  std::optional<RawClient> client_;
};

TEST_F(UnixHttpServerTest, NobodyKeepsOthersOutAndRootLeast) {
  if (::getuid() != 0) GTEST_SKIP() << "needs to be root to be others";
  std::filesystem::permissions(directory_, std::filesystem::perms(0755));
  options_.mode = 0666;
  options_.connection_limit = 8;
  options_.per_user_limit = 3;
  start();
  std::vector<std::unique_ptr<ClientOf>> clients;
  const auto is_served = [&](uid_t uid) {
    clients.push_back(std::make_unique<ClientOf>(uid, options_.path));
    return clients.back()->served();
  };
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(is_served(1001));
  EXPECT_FALSE(is_served(1001)) << "one too many of one account";
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(is_served(1002));
  EXPECT_FALSE(is_served(1003)) << "the rest is root's";
  EXPECT_TRUE(is_served(0));
  clients.clear();
  EXPECT_TRUE(eventually([&]() { return is_served(1003); }));
}

TEST_F(UnixHttpServerTest, SendsLinesAsTheyCome) {
  start();
  const std::string answer = ask("GET /v1/lines HTTP/1.1\r\n\r\n");
  EXPECT_NE(answer.find("application/x-ndjson"), std::string::npos);
  EXPECT_NE(answer.find("b\r\n{\"left\":3}\n\r\nb\r\n{\"left\":2}\n\r\nb\r\n{\"left\":1}\n\r\n0\r\n\r\n"), std::string::npos) << answer;
  EXPECT_EQ(alive_, 0);
}

TEST_F(UnixHttpServerTest, AStreamEndsWhenItsClientGoes) {
  start();
  {
    RawClient client(options_.path);
    EXPECT_NE(client.ask("GET /v1/endless HTTP/1.1\r\n\r\n", "\r\n\r\n").find("200 OK"), std::string::npos);
    EXPECT_EQ(alive_, 1);
  }
  EXPECT_TRUE(eventually([&]() { return alive_ == 0; }));
}

TEST_F(UnixHttpServerTest, UpgradesToBytesBothWays) {
  start();
  RawClient client(options_.path);
  // The first bytes for the console come in the same packet as the request.
  client.send("GET /v1/console HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: mcv-console\r\n\r\nhello");
  const std::string head = client.receive("hello");
  EXPECT_EQ(head.rfind("HTTP/1.1 101 Switching Protocols\r\n", 0), 0u) << head;
  EXPECT_NE(head.find("Upgrade: mcv-console\r\n"), std::string::npos);
  EXPECT_NE(head.find("boot output;"), std::string::npos) << head;
  EXPECT_EQ(client.ask("\x01\xff raw", "raw"), "\x01\xff raw");
  client.send("quit");
  EXPECT_EQ(client.receive(), "");
  EXPECT_TRUE(eventually([&]() { return alive_ == 0; }));
}

TEST_F(UnixHttpServerTest, AConsoleEndsWhenItsViewerGoes) {
  start();
  {
    RawClient client(options_.path);
    client.ask("GET /v1/console HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: mcv-console\r\n\r\n", "boot output;");
    EXPECT_EQ(alive_, 1);
  }
  EXPECT_TRUE(eventually([&]() { return alive_ == 0; }));
}

TEST_F(UnixHttpServerTest, StoppingLetsRepliesOutAndEndsTheRest) {
  start();
  RawClient idle(options_.path);
  RawClient streaming(options_.path);
  streaming.ask("GET /v1/endless HTTP/1.1\r\n\r\n", "\r\n\r\n");
  RawClient console(options_.path);
  console.ask("GET /v1/console HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: mcv-console\r\n\r\n", "boot output;");
  RawClient working(options_.path);
  working.send("GET /v1/slow HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(eventually([&]() { return slow_calls_ == 1; }));
  EXPECT_LT(stop(milliseconds(20'000)), milliseconds(10'000));
  EXPECT_NE(working.receive().find("{\"slow\":true}"), std::string::npos);
  EXPECT_EQ(idle.receive(), "");
  EXPECT_EQ(alive_, 0);
}

TEST_F(UnixHttpServerTest, StoppingGivesUpOnAReplyThatNeverComes) {
  start();
  RawClient working(options_.path);
  working.send("GET /v1/stuck HTTP/1.1\r\n\r\n");
  RawClient streaming(options_.path);
  streaming.ask("GET /v1/endless HTTP/1.1\r\n\r\n", "\r\n\r\n");
  ASSERT_TRUE(eventually([&]() { return slow_calls_ == 1; }));
  EXPECT_LT(stop(milliseconds(100)), milliseconds(10'000));
  EXPECT_EQ(working.receive(), "");
}

TEST_F(UnixHttpServerTest, ASecondDaemonIsRefusedAndADeadSocketReplaced) {
  start();
  UnixHttpServer second(loop_.get_executor(), options_, nullptr);
  const Status status = second.claim();
  ASSERT_FALSE(status.ok());
  EXPECT_FALSE(second.start().ok());
  EXPECT_EQ(status.error().code(), ErrorCode::in_use);
  EXPECT_NE(ask(post("/v1/echo/a", "{}")).find("200 OK"), std::string::npos) << "the first one is unharmed";
  stop(milliseconds(1'000));
  ASSERT_TRUE(std::filesystem::exists(options_.path)) << "as after a crash";
  asio::io_context other_loop;
  UnixHttpServer third(other_loop.get_executor(), options_, nullptr);
  EXPECT_TRUE(third.start().ok());
  auto ended = third.stop(milliseconds(100));
  asio::co_spawn(other_loop, std::move(ended), [](std::exception_ptr) {});
  other_loop.run();
}

TEST_F(UnixHttpServerTest, OurOwnClientUnderstandsIt) {
  start();
  asio::io_context loop;
  host::RealUnixSockets sockets(loop.get_executor());
  host::HttpRequest request;
  request.method = "POST";
  request.target = "/v1/echo/vm1";
  request.body = "{\"a\":2}";
  std::optional<Result<host::HttpResponse>> response;
  auto on_end = [&](std::exception_ptr, Result<host::HttpResponse> got) { response.emplace(std::move(got)); };
  asio::co_spawn(loop, sockets.http(options_.path, std::move(request), milliseconds(20'000)), on_end);
  loop.run();
  ASSERT_TRUE((*response).ok());
  EXPECT_EQ((**response).status, 200);
  EXPECT_EQ(Json::parse((**response).body)["body"]["a"], 2);
}

}  // namespace
}  // namespace mcv::server
