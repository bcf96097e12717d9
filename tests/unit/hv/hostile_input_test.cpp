// SPDX-License-Identifier: Apache-2.0
// What a VMM says is not trusted: a guest that broke out of its devices owns that process. Whatever comes, nothing throws, nothing
// grows without bound, and a running guest is never called stopped.
#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <random>
#include <sstream>

#include "fake_node.h"
#include "hv/cloud_hypervisor/cloud_hypervisor.h"
#include "hv/cloud_hypervisor/protocol.h"
#include "hv/console.h"
#include "hv/qemu/qemu.h"
#include "hv/qemu/qmp_message.h"
#include "hv/run_record.h"
#include "hv/vmm_unit.h"
#include "hv/vmm_words.h"

namespace mcv::hv {
namespace {

using namespace std::chrono_literals;

std::string data(const std::string& name) {
  std::ifstream file(std::string(MCV_TEST_DATA) + "/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Spoils recorded texts, always in the same ways.
class Spoiler {
 public:
  std::string spoil(std::string text) {
    const std::size_t times = 1 + below(8);
    for (std::size_t i = 0; i < times; ++i) spoil_once(text);
    return text;
  }
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }

 private:
  void spoil_once(std::string& text) {
    static constexpr std::string_view bits[] = {"{", "}", "[", "]", "\"", "\\", "\n", "\r\n", std::string_view("\0", 1), "\xff\xfe", "null", "-1", "1e999", "18446744073709551616", ",", ":"};
    const std::size_t at = below(text.size() + 1);
    switch (below(6)) {
      case 0: text.insert(at, bits[below(std::size(bits))]); break;
      case 1: text.erase(at, below(40)); break;
      case 2: text.resize(at); break;
      case 3:
        if (at < text.size()) text[at] = static_cast<char>(random_());
        break;
      case 4: text.insert(at, text.substr(below(text.size() + 1), below(200))); break;
      default: text.insert(at, std::string(below(300), "{[\"0"[below(4)])); break;
    }
  }
  std::mt19937 random_{20260715};  // the same in every run
};

TEST(HostileInput, SpoiledTextsAreReadOrRefused) {
  Spoiler spoiler;
  const std::string events = data("ch/events_power_off.txt");
  const std::string info = data("ch/vm_info_running.json");
  const std::string qmp = data("qmp/session.txt");
  const std::string record = RunRecord{"qemu", true, Wish::stop, ExitReason::crashed, StartedWith{2, Bytes::mib(512), {"/boot/k", "", "quiet", ""}}}.to_text();
  const std::string unit = "LoadState=loaded\nActiveState=active\nSubState=running\nResult=success\nMainPID=4242\nExecMainCode=0\nExecMainStatus=0\nInvocationID=abc\n";
  for (int round = 0; round < 1000; ++round) {
    const std::string spoiled_events = spoiler.spoil(events);
    const std::vector<ch::Event> found = ch::parse_events(ch::whole_events(spoiled_events));
    EXPECT_LE(found.size(), spoiled_events.size() / 20);
    static_cast<void>(ch::summarize(found));
    const std::string spoiled_info = spoiler.spoil(info);
    static_cast<void>(ch::state_of_info(spoiled_info));
    EXPECT_LE(ch::error_text(500, spoiled_info).size(), 1100u);
    static_cast<void>(ch::parse_version(spoiler.spoil("cloud-hypervisor v53.0.0\n")));
    static_cast<void>(parse_unit_facts(spoiler.spoil(unit)));
    const Result<RunRecord> read = RunRecord::parse(spoiler.spoil(record));
    EXPECT_TRUE(!read.ok() || RunRecord::parse(read->to_text()).ok());
    qemu::LineBuffer lines;
    std::string_view rest = round % 10 == 0 ? std::string_view(qmp) : std::string_view();
    const std::string spoiled_qmp = spoiler.spoil(std::string(rest));
    for (rest = spoiled_qmp; !rest.empty();) {
      const std::size_t piece = std::min(rest.size(), 1 + spoiler.below(500));
      for (const std::string& line : lines.feed(rest.substr(0, piece))) static_cast<void>(qemu::parse_qmp(line));
      rest.remove_prefix(piece);
    }
  }
}

TEST(HostileInput, DeepAndLongTextsAreBounded) {
  const std::string deep(200'000, '[');
  EXPECT_FALSE(qemu::parse_qmp("{\"return\":" + deep).ok());
  EXPECT_FALSE(ch::state_of_info(std::string(200'000, '{')).ok());
  EXPECT_TRUE(ch::parse_events(std::string(200'000, '{')).empty());
  EXPECT_TRUE(ch::parse_events(std::string(200'000, '}')).empty());
  std::string many;
  for (int i = 0; i < 50'000; ++i) many += "{}";
  EXPECT_TRUE(ch::parse_events(many).empty()) << "what says nothing is not kept";
  EXPECT_LE(ch::error_text(500, std::string(1 << 20, 'x')).size(), 1100u);
  EXPECT_LE(ch::error_text(500, "[\"" + std::string(1 << 20, 'x') + "\"]").size(), 1100u) << "an error chain ends in messages and logs";
}

TEST(HostileInput, WordsForATerminalHaveNoControlCharacters) {
  EXPECT_EQ(vmm_words("Cannot open disk\n"), "Cannot open disk");
  EXPECT_EQ(vmm_words("one\ntwo\r\n"), "one;two?");
  EXPECT_EQ(vmm_words("\x1b]0;owned\x07\x7f"), "?]0;owned??");
  EXPECT_EQ(vmm_words("Größe"), "Größe");
  std::string euros;
  for (int i = 0; i < 400; ++i) euros += "€";
  EXPECT_EQ(vmm_words(euros), euros.substr(0, 999) + " ...") << "no character is cut in two";
  EXPECT_EQ(ch::error_text(500, "[\"a\\u001b[2J\"]"), "a?[2J");
  const Result<qemu::QmpMessage> failure = qemu::parse_qmp("{\"error\":{\"class\":\"GenericError\",\"desc\":\"\\u001b[2J\"},\"id\":1}");
  ASSERT_TRUE(failure.ok());
  EXPECT_EQ(std::get<qemu::QmpFailure>(*failure).text, "GenericError: ?[2J");
}

TEST(HostileInput, QmpMessagesOfWrongTypes) {
  for (const char* line : {
           "{\"QMP\":5}", "{\"QMP\":[]}", "{\"QMP\":{\"version\":[0]}}", "{\"QMP\":{\"version\":{\"qemu\":{\"major\":\"x\"}}}}",
           "{\"QMP\":{\"version\":{\"qemu\":{\"major\":99999999999999999999}}}}", "{\"event\":7}", "{\"event\":null,\"data\":3}",
           "{\"return\":null,\"id\":-1}", "{\"return\":[],\"id\":\"1\"}", "{\"return\":{},\"id\":1.5}", "{\"return\":{},\"id\":{}}", "{\"error\":{}}",
           "{\"error\":{\"class\":1,\"desc\":[]},\"id\":1}"}) {
    EXPECT_NO_THROW({ EXPECT_TRUE(qemu::parse_qmp(line).ok()) << line; }) << line;
  }
  for (const char* line : {"5", "null", "\"QMP\"", "{\"error\":1}", "{\"execute\":\"quit\"}", "\xff\xfe", ""}) EXPECT_FALSE(qemu::parse_qmp(line).ok()) << line;
}

/// The node's sockets, but the VMM behind them is under a stranger's control.
class HostileSockets : public fake::Sockets {
 public:
  explicit HostileSockets(fake::Node& node) : fake::Sockets(node), node_(node) {}
  boost::asio::awaitable<Result<std::unique_ptr<host::ByteStream>>> connect(std::string) override {
    auto state = std::make_shared<fake::Stream::State>(node_.loop.get_executor());
    state->push(greeting);
    state->on_write = [this, weak = std::weak_ptr<fake::Stream::State>(state)](const std::string& bytes) {
      const auto self = weak.lock();
      if (!self) return;
      const Result<Json> request = parse_json(bytes);
      const std::string id = request.ok() ? request->at("id").dump() : "0";
      const bool is_status = bytes.find("query-status") != std::string::npos;
      self->push(is_status ? fmt::format(fmt::runtime(answer), fmt::arg("id", id)) : fmt::format("{{\"return\":{{}},\"id\":{}}}\r\n", id));
    };
    std::unique_ptr<host::ByteStream> stream = std::make_unique<fake::Stream>(state);
    co_return stream;
  }
  boost::asio::awaitable<Result<host::HttpResponse>> http(std::string, host::HttpRequest, std::chrono::milliseconds) override { co_return response; }

  std::string greeting = "{\"QMP\":{}}\r\n";
  std::string answer;
  Result<host::HttpResponse> response;

 private:
  fake::Node& node_;
};

class HostileVmm : public testing::Test {
 protected:
  HostileVmm() : sockets_(node_) {
    for (const char* vm : {"q", "c"}) {
      const std::string binary = *vm == 'q' ? "/usr/bin/qemu-system-x86_64" : "/usr/bin/cloud-hypervisor";
      node_.vmms[vm] = std::make_shared<fake::Vmm>(node_, vm, host::Argv{binary, "node-name=disk0,filename=/dev/vg0/d0,"});
    }
  }
  VmmUnits units() { return VmmUnits(node_.processes, node_.files, node_.clock, "/run/mcv", "mcv-guest"); }
  template <typename T>
  T run(boost::asio::awaitable<T> task) {
    std::optional<T> result;
    std::exception_ptr failure;
    boost::asio::co_spawn(node_.loop, std::move(task), [&](std::exception_ptr error, T value) {
      failure = error;
      result.emplace(std::move(value));
    });
    EXPECT_TRUE(node_.drive([&result] { return result.has_value(); }, 120s)) << "every question ends";
    if (failure) std::rethrow_exception(failure);
    return std::move(result).value();
  }
  VmmPhase qemu_phase() {
    qemu::QemuHypervisor qemu(node_.loop.get_executor(), node_.clock, sockets_, units(), "/usr/bin/qemu-system-x86_64");
    const Result<VmmLook> look = run(qemu.look(VmName::trusted("q")));
    EXPECT_TRUE(look.ok());
    return look.ok() ? look->phase : VmmPhase::absent;
  }
  VmmPhase ch_phase(int status, std::string body) {
    host::HttpResponse response;
    response.status = status;
    response.body = std::move(body);
    sockets_.response = response;
    ch::CloudHypervisor driver(node_.clock, node_.files, node_.processes, sockets_, units(), "/usr/bin/cloud-hypervisor");
    const Result<VmmLook> look = run(driver.look(VmName::trusted("c")));
    EXPECT_TRUE(look.ok());
    return look.ok() ? look->phase : VmmPhase::absent;
  }

  fake::Node node_;
  HostileSockets sockets_;
};

TEST_F(HostileVmm, QemuWithStrangeAnswersIsUnknown) {
  const std::string flood = [] {
    std::string text;
    for (int i = 0; i < 5000; ++i) text += "{{\"event\":\"RESET\",\"data\":[]}}\r\n";
    return text;
  }();
  for (const std::string& answer : {std::string("{{\"return\":[],\"id\":{id}}}\r\n"), std::string("{{\"return\":null,\"id\":{id}}}\r\n"),
                                    std::string("{{\"return\":{{\"status\":5}},\"id\":{id}}}\r\n"), std::string("{{\"return\":{{\"status\":\"stopped\"}},\"id\":{id}}}\r\n"),
                                    std::string("{{\"return\":{{\"status\":\"running\"}},\"id\":99}}\r\n"), std::string("{{\"error\":{{}},\"id\":{id}}}\r\n"),
                                    std::string("\r\n\r\nnonsense\r\n"), std::string(), std::string(5 << 20, 'x'), std::string("\0\0\0\n", 4), flood}) {
    sockets_.answer = answer;
    EXPECT_EQ(qemu_phase(), VmmPhase::unknown) << answer.substr(0, 80);
  }
  sockets_.answer = flood + "{{\"return\":{{\"status\":\"running\"}},\"id\":{id}}}\r\n";
  EXPECT_EQ(qemu_phase(), VmmPhase::running) << "events in between are no hindrance";
}

TEST_F(HostileVmm, QemuWithoutAProperGreetingIsUnknown) {
  sockets_.answer = "{{\"return\":{{\"status\":\"running\"}},\"id\":{id}}}\r\n";
  for (const std::string& greeting : {std::string(), std::string("HTTP/1.1 200 OK\r\n\r\n"), std::string("{\"QMP\":"), std::string(5 << 20, '{')}) {
    sockets_.greeting = greeting;
    EXPECT_EQ(qemu_phase(), VmmPhase::unknown) << greeting.substr(0, 40);
  }
}

TEST_F(HostileVmm, CloudHypervisorWithStrangeAnswersIsNeverStopped) {
  node_.files.texts["/run/mcv/vm/c/events"] = "{\"source\":\"vm\",\"event\":\"booted\"}\n\n";
  const auto is_over = [](VmmPhase phase) { return phase == VmmPhase::absent || phase == VmmPhase::powered_off || phase == VmmPhase::failed || phase == VmmPhase::created; };
  for (const char* body : {"", "[]", "null", "{}", "{\"state\":5}", "{\"state\":\"Gone\"}", "{\"state\":\"Created\"}", "\xff", "{\"state\":"}) {
    for (const int status : {200, 204, 400, 500, 0}) EXPECT_FALSE(is_over(ch_phase(status, body))) << status << " " << body;
  }
  EXPECT_EQ(ch_phase(200, "{\"state\":\"Running\"}"), VmmPhase::running);
  EXPECT_FALSE(is_over(ch_phase(404, ""))) << "the guest ran, so there is a VM whatever is claimed";
}

}  // namespace
}  // namespace mcv::hv
