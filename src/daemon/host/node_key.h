// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "cluster/core/result.h"
#include "cluster/host/peer_network.h"

namespace mcv::host {

/// This node's Ed25519 key and the self-signed certificate that carries its public half. Names and dates in the
/// certificate mean nothing: peers pin the key itself.
class NodeKey {
 public:
  static Result<NodeKey> generate();
  /// The text of the key file: private key and certificate, PEM.
  static Result<NodeKey> from_pem(const std::string& text);
  /// For the key file only (0600): holds the private key.
  Result<std::string> to_pem() const;

  const KeyFingerprint& fingerprint() const { return fingerprint_; }
  EVP_PKEY* key() const { return key_.get(); }
  X509* certificate() const { return certificate_.get(); }

 private:
  using KeyPointer = std::shared_ptr<EVP_PKEY>;
  using CertificatePointer = std::shared_ptr<X509>;
  NodeKey(KeyPointer key, CertificatePointer certificate, KeyFingerprint fingerprint)
      : key_(std::move(key)), certificate_(std::move(certificate)), fingerprint_(std::move(fingerprint)) {}
  static Result<NodeKey> make(KeyPointer key, CertificatePointer certificate);

  KeyPointer key_;
  CertificatePointer certificate_;
  KeyFingerprint fingerprint_;
};

/// SHA-256 of the certificate's SubjectPublicKeyInfo (DER), lower-case hex; empty for no certificate.
KeyFingerprint fingerprint_of(X509* certificate);

}  // namespace mcv::host
