// SPDX-License-Identifier: Apache-2.0
#include "daemon/config.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace mcv {
namespace {

Error error_of(const std::string& text) {
  const auto config = parse_daemon_config(text, "test.toml");
  return config.ok() ? Error(ErrorCode::internal, "accepted") : config.error();
}

TEST(DaemonConfigTest, AnEmptyFileIsTheDefault) {
  const auto config = parse_daemon_config("", "x");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->socket, "/run/mcv/mcvd.sock");
  EXPECT_EQ(config->key_file(), "/var/lib/mcv/keys/node.pem");
}

/// The shipped file with every key uncommented must be accepted and say what the code does.
TEST(DaemonConfigTest, TheShippedFileShowsEveryDefault) {
  std::ifstream file(MCV_CONFIG_FILE);
  std::stringstream text;
  int keys = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.size() > 1 && line[0] == '#' && line[1] != ' ') {
      line.erase(0, 1);
      ++keys;
    }
    text << line << "\n";
  }
  EXPECT_EQ(keys, 10);
  const auto config = parse_daemon_config(text.str(), MCV_CONFIG_FILE);
  ASSERT_TRUE(config.ok()) << config.error().message();
  const DaemonConfig defaults;
  EXPECT_EQ(config->state_directory, defaults.state_directory);
  EXPECT_EQ(config->run_directory, defaults.run_directory);
  EXPECT_EQ(config->socket, defaults.socket);
  EXPECT_EQ(config->client_limit, defaults.client_limit);
  EXPECT_EQ(config->verbosity, defaults.verbosity);
  EXPECT_EQ(config->peer_port, defaults.peer_port);
  EXPECT_EQ(config->cloud_hypervisor, defaults.cloud_hypervisor);
  EXPECT_EQ(config->qemu, defaults.qemu);
  EXPECT_EQ(config->guest_user, defaults.guest_user);
  EXPECT_EQ(config->console_directory, defaults.console_directory);
}

TEST(DaemonConfigTest, ReadsValues) {
  const auto config = parse_daemon_config("[peer]\nport = 9000\n[daemon]\nlog_level = \"debug\"\nclients = 8\n[guests]\nqemu = \"/opt/qemu\"\n", "x");
  ASSERT_TRUE(config.ok()) << config.error().message();
  EXPECT_EQ(config->peer_port, 9000);
  EXPECT_EQ(config->verbosity, 1);
  EXPECT_EQ(config->client_limit, 8u);
  EXPECT_EQ(config->qemu, "/opt/qemu");
}

TEST(DaemonConfigTest, WhatTomlKnowsBeyondSectionsAndKeysIsRefusedByItsLine) {
  for (const char* line : {"[[[daemon]", "[[daemon]]", "[daemon", "a.b = 1", "clients = [1]", "clients = {a = 1}", "state_directory = \"\"\"", "clients", "= 1", "clients = \xc3\x89", "clients = 1\xc3\x89", "clients = 1 2", "socket = \"/a\" b", "socket = \"/a",
                           "socket = \"/a\\\"", "[\rdaemon]", "socket = \"/a\x01\"", "socket = \"/a\xff\"", "socket = \"/\\u0061\""}) {
    const auto config = parse_daemon_config(std::string("# first\n") + line + "\n", "mcvd.toml");
    ASSERT_FALSE(config.ok()) << line;
    EXPECT_NE(config.error().message().find("mcvd.toml:2"), std::string::npos) << config.error().message();
  }
  EXPECT_TRUE(parse_daemon_config(" [daemon] # here\r\n\tclients = 16 # of them\r\n", "mcvd.toml").ok());
  EXPECT_EQ(parse_daemon_config("[daemon]\nsocket = '/\xc3\x89#' # \xc3\x89\n", "mcvd.toml")->socket, "/\xc3\x89#");
  EXPECT_FALSE(parse_daemon_config(std::string(70'000, '#'), "mcvd.toml").ok());
}

TEST(DaemonConfigTest, NamesFileLineAndKeyOfAMistake) {
  EXPECT_EQ(error_of("[peer]\n\nprot = 1\n").message(), "test.toml line 3: unknown key 'peer.prot'");
  EXPECT_EQ(error_of("[peer]\nprot = 1\n").code(), ErrorCode::unknown_field);
  EXPECT_EQ(error_of("[pear]\nport = 1\n").message(), "test.toml line 1: unknown section or key 'pear'");
  EXPECT_EQ(error_of("port = 1\n").message(), "test.toml line 1: unknown section or key 'port'");
  EXPECT_EQ(error_of("peer = 1\n").message(), "test.toml line 1: unknown section or key 'peer'");
  EXPECT_EQ(error_of("[peer]\nport = \"8801\"\n").message(), "test.toml line 2: 'peer.port' is a number from 1 to 65535");
  EXPECT_EQ(error_of("[peer]\nport = 65536\n").code(), ErrorCode::bad_request);
  EXPECT_EQ(error_of("[peer]\nport = -1\n").code(), ErrorCode::bad_request);
  EXPECT_EQ(error_of("[daemon]\nsocket = \"mcvd.sock\"\n").code(), ErrorCode::bad_request);
  EXPECT_EQ(error_of("[daemon]\nstate_directory = \"/var/lib/mcv/\"\n").code(), ErrorCode::bad_request);
  EXPECT_EQ(error_of("[guests]\nuser = \"root\"\n").code(), ErrorCode::bad_request);
  EXPECT_EQ(error_of("[guests]\nuser = \"a b\"\n").code(), ErrorCode::bad_request);
  EXPECT_EQ(error_of("[daemon]\nlog_level = \"loud\"\n").code(), ErrorCode::bad_request);
  EXPECT_EQ(error_of("[daemon]\nclients = 1\n").code(), ErrorCode::bad_request);
  EXPECT_EQ(error_of("[daemon\n").code(), ErrorCode::bad_request);
  EXPECT_EQ(error_of("\xff\xfe").code(), ErrorCode::bad_request);
  EXPECT_EQ(load_daemon_config("/nonexistent/mcvd.toml").error().code(), ErrorCode::not_found);
}

}  // namespace
}  // namespace mcv
