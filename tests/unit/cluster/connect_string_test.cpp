// SPDX-License-Identifier: Apache-2.0
#include "cluster/peer/connect_string.h"

#include <gtest/gtest.h>

#include <string>

#include "cluster/core/json.h"

namespace mcv {
namespace {

ConnectString sample() {
  ConnectString value;
  value.name = NodeName::trusted("B");
  value.address = "10.77.0.12";
  value.port = 8801;
  value.fingerprint = std::string(64, 'a');
  value.token = "q83v-secret_token0123456789";
  value.version = "0.1.0";
  return value;
}

TEST(ConnectString, ReadsBackWhatItWrote) {
  ConnectString value = sample();
  EXPECT_EQ(parse_connect_string(encode_connect_string(value)).value(), value);
  value.address = "fd00::12";
  value.version = "0.1.0~rc1";  // one byte counts of every remainder of three
  EXPECT_EQ(parse_connect_string(encode_connect_string(value)).value(), value);
  value.version = "0.1.10+deb12u1";
  EXPECT_EQ(parse_connect_string(encode_connect_string(value)).value(), value);
}

TEST(ConnectString, IsOneLineOfSafeLetters) {
  const std::string text = encode_connect_string(sample());
  EXPECT_EQ(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_:"), std::string::npos) << text;
}

TEST(ConnectString, ToleratesWhatCopyAndPasteAdds) {
  EXPECT_TRUE(parse_connect_string("  " + encode_connect_string(sample()) + " \r\n").ok());
}

TEST(ConnectString, RefusesEveryTruncationAndEveryChangedLetter) {
  const std::string text = encode_connect_string(sample());
  for (std::size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(parse_connect_string(text.substr(0, size)).ok()) << size;
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string changed = text;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    const auto parsed = parse_connect_string(changed);
    // A changed letter can still be a valid value, but never the same one.
    if (parsed.ok()) { EXPECT_NE(*parsed, sample()) << at; }
  }
  EXPECT_FALSE(parse_connect_string(text + "A").ok());
  EXPECT_FALSE(parse_connect_string(text + "=").ok());
  EXPECT_FALSE(parse_connect_string(std::string(2000, 'A')).ok());
  EXPECT_FALSE(parse_connect_string("mcv1:").ok());
}

TEST(ConnectString, RefusesValuesNobodyMakes) {
  for (const auto& change : std::vector<void (*)(ConnectString&)>{
           [](ConnectString& v) { v.name = NodeName::trusted("a b"); }, [](ConnectString& v) { v.address = "node-b.example"; },
           [](ConnectString& v) { v.address = "10.0.0"; }, [](ConnectString& v) { v.port = 0; },
           [](ConnectString& v) { v.fingerprint = "AA"; }, [](ConnectString& v) { v.token = "short"; },
           [](ConnectString& v) { v.token = "has a space in the middle"; }, [](ConnectString& v) { v.version = ""; }}) {
    ConnectString value = sample();
    change(value);
    EXPECT_FALSE(parse_connect_string(encode_connect_string(value)).ok());
  }
}

TEST(ConnectString, ErrorsNeverRepeatTheSecret) {
  const std::string text = encode_connect_string(sample());
  const auto parsed = parse_connect_string(text.substr(0, text.size() - 2));
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error().code(), ErrorCode::bad_connect_string);
  EXPECT_EQ(parsed.error().to_text().find(text.substr(5, 12)), std::string::npos);
  EXPECT_EQ(parsed.error().to_text().find("secret"), std::string::npos);
}

}  // namespace
}  // namespace mcv
