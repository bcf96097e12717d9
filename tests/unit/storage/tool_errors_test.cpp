// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "storage/drbd/tool_errors.h"

namespace mcv::drbd::tool_errors_test {
namespace {

TEST(ToolErrors, TheSecretOfAConnectionIsInNoError) {
  const std::string secret = "0123456789abcdef0123456789abcdef0123456789abcdef";
  host::ProcessResult result;
  result.exit_code = 1;
  for (const char* end : {" --timeout=100", "'", ""}) {
    result.err = "mcv-vm1-0: Failure: (125) Device has a net-config\nCommand 'drbdsetup-84 connect mcv-vm1-0 ipv4:10.77.1.11:7900 --cram-hmac-alg=sha256 --shared-secret=" + secret + end +
                 " terminated with exit code 10\nCommand 'drbdsetup-84 net-options --shared-secret=" + secret + "' terminated with exit code 10\n";
    const Error error = error_of(VolumeName::trusted("vm1-0"), {"drbdadm", "adjust", "mcv-vm1-0"}, result);
    EXPECT_EQ(error.to_text().find(secret.substr(0, 8)), std::string::npos) << error.to_text();
    EXPECT_NE(error.message().find("--shared-secret=..."), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("terminated with exit code 10"), std::string::npos) << "what helps is kept: " << error.message();
  }
}

}  // namespace
}  // namespace mcv::drbd::tool_errors_test
