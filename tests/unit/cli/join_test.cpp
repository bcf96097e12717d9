// SPDX-License-Identifier: Apache-2.0
#include "cli/join/join.h"

#include <gtest/gtest.h>

#include "cli/join/remote_connect_string.h"

namespace mcv::cli::join_test {
namespace {

RemoteResult result(int exit_code, std::string out, std::string err = "") { return {exit_code, std::move(out), std::move(err)}; }

ErrorCode code_of(Privilege privilege, const RemoteResult& answer) {
  const auto text = connect_string_of(privilege, "10.0.0.2", answer);
  return text.ok() ? ErrorCode::internal : text.error().code();
}

TEST(RemoteCommand, IsExactlyOneOfThree) {
  EXPECT_EQ(remote_command(Privilege::root, "10.0.0.2"), "hvctl cluster get-connect-string --ip-address 10.0.0.2 -o json");
  EXPECT_EQ(remote_command(Privilege::sudo, "fd00::2"), "sudo -n hvctl cluster get-connect-string --ip-address fd00::2 -o json");
  EXPECT_EQ(remote_command(Privilege::sudo_password, "10.0.0.2"), "sudo -S -p '' hvctl cluster get-connect-string --ip-address 10.0.0.2 -o json");
}

TEST(RemoteAnswer, TakesTheStringFromBehindALoginMessage) {
  EXPECT_EQ(connect_string_of(Privilege::root, "10.0.0.2", result(0, "Welcome {to} B\n{\"connect_string\":\"mcv1:abc\",\"expires_seconds\":600}\n")).value(), "mcv1:abc");
}

TEST(RemoteAnswer, SaysWhyThereIsNone) {
  EXPECT_EQ(code_of(Privilege::root, result(127, "", "bash: line 1: hvctl: command not found\n")), ErrorCode::mcv_not_installed);
  EXPECT_EQ(code_of(Privilege::sudo, result(1, "", "sudo: hvctl: command not found\n")), ErrorCode::mcv_not_installed);
  EXPECT_EQ(code_of(Privilege::root, result(7, "", "{\"code\":\"daemon-unreachable\",\"detail\":\"x\",\"status\":503}\n")), ErrorCode::daemon_unreachable);
  EXPECT_EQ(code_of(Privilege::root, result(6, "", "{\"code\":\"address-not-local\",\"detail\":\"x\",\"status\":412}\n")), ErrorCode::address_not_local);
  EXPECT_EQ(code_of(Privilege::sudo, result(1, "", "sudo: a password is required\n")), ErrorCode::sudo_refused);
  EXPECT_EQ(code_of(Privilege::sudo_password, result(1, "", "u is not in the sudoers file.\n")), ErrorCode::sudo_refused);
  EXPECT_EQ(code_of(Privilege::root, result(0, "hello\n")), ErrorCode::bad_output);
  EXPECT_EQ(code_of(Privilege::root, result(0, "")), ErrorCode::bad_output);
  EXPECT_EQ(code_of(Privilege::root, result(139, "", "Segmentation fault\n")), ErrorCode::command_failed);
}

TEST(RemoteAnswer, KnowsWhenSudoWantsAPassword) {
  EXPECT_TRUE(sudo_asks(Privilege::sudo, result(1, "", "sudo: a password is required\n")));
  EXPECT_FALSE(sudo_asks(Privilege::sudo, result(1, "", "sudo: hvctl: command not found\n")));
  EXPECT_FALSE(sudo_asks(Privilege::sudo, result(7, "", "{\"code\":\"daemon-unreachable\"}\n")));
  EXPECT_FALSE(sudo_asks(Privilege::root, result(1, "", "")));
}

TEST(HostKeys, AreAcceptedOnlyWithAReason) {
  const auto judge = [](HostKeyTrust trust, const char* expected) { return judge_host_key({"ssh-ed25519", "SHA256:abc", trust}, expected); };
  EXPECT_EQ(judge(HostKeyTrust::known, ""), HostKeyVerdict::accept);
  EXPECT_EQ(judge(HostKeyTrust::unknown, ""), HostKeyVerdict::ask);
  EXPECT_EQ(judge(HostKeyTrust::changed, ""), HostKeyVerdict::mismatch);
  EXPECT_EQ(judge(HostKeyTrust::unknown, "SHA256:abc"), HostKeyVerdict::accept);
  EXPECT_EQ(judge(HostKeyTrust::changed, "SHA256:abc"), HostKeyVerdict::accept);
  EXPECT_EQ(judge(HostKeyTrust::known, "SHA256:other"), HostKeyVerdict::mismatch);
}

TEST(Secrets, AreWipedAndBounded) {
  Secret secret;
  for (std::size_t i = 0; i < Secret::limit; ++i) ASSERT_TRUE(secret.append('x'));
  EXPECT_FALSE(secret.append('x'));
  const char* place = secret.c_str();
  Secret moved = std::move(secret);
  EXPECT_EQ(place[0], '\0');
  EXPECT_EQ(moved.view().size(), Secret::limit);
  moved.clear();
  EXPECT_EQ(moved.c_str()[0], '\0');
  EXPECT_TRUE(moved.empty());
}

}  // namespace
}  // namespace mcv::cli::join_test
