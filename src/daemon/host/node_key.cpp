// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/node_key.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <string_view>

#include "cluster/core/sha256.h"

namespace mcv::host {
namespace {

using BioPointer = std::unique_ptr<BIO, decltype(&BIO_free)>;

Error crypto_failure(std::string_view what) {
  const char* reason = ERR_reason_error_string(ERR_get_error());
  ERR_clear_error();
  return Error(ErrorCode::internal, fmt::format("{}: {}", what, reason == nullptr ? "OpenSSL gave no reason" : reason));
}

bool fill(X509* certificate, EVP_PKEY* key) {
  std::uint64_t serial = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) != 1) return false;
  X509_NAME* name = X509_get_subject_name(certificate);
  const auto* common_name = reinterpret_cast<const unsigned char*>("mcv node");
  return X509_set_version(certificate, X509_VERSION_3) == 1 &&
         ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1) == 1 &&
         // RFC 5280: the end date of a certificate without one. No decision reads the wall clock.
         ASN1_TIME_set_string_X509(X509_getm_notBefore(certificate), "19700101000000Z") == 1 &&
         ASN1_TIME_set_string_X509(X509_getm_notAfter(certificate), "99991231235959Z") == 1 &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0) == 1 &&
         X509_set_issuer_name(certificate, name) == 1 && X509_set_pubkey(certificate, key) == 1 && X509_sign(certificate, key, nullptr) > 0;
}

}  // namespace

KeyFingerprint fingerprint_of(X509* certificate) {
  if (certificate == nullptr) return {};
  unsigned char* der = nullptr;
  const int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (length <= 0) return {};
  KeyFingerprint text = sha256_hex(std::string_view(reinterpret_cast<const char*>(der), static_cast<std::size_t>(length)));
  OPENSSL_free(der);
  return text;
}

Result<NodeKey> NodeKey::make(KeyPointer key, CertificatePointer certificate) {
  if (X509_check_private_key(certificate.get(), key.get()) != 1) return crypto_failure("the certificate does not belong to the key");
  KeyFingerprint fingerprint = fingerprint_of(certificate.get());
  if (fingerprint.empty()) return crypto_failure("read the public key");
  return NodeKey(std::move(key), std::move(certificate), std::move(fingerprint));
}

Result<NodeKey> NodeKey::generate() {
  KeyPointer key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free);
  if (key == nullptr) return crypto_failure("make a key");
  CertificatePointer certificate(X509_new(), X509_free);
  if (certificate == nullptr || !fill(certificate.get(), key.get())) return crypto_failure("make a certificate");
  return make(std::move(key), std::move(certificate));
}

Result<NodeKey> NodeKey::from_pem(const std::string& text) {
  const BioPointer bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free);
  // A passphrase prompt on the daemon's terminal is never wanted.
  pem_password_cb* no_passphrase = [](char*, int, int, void*) { return 0; };
  KeyPointer key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr), EVP_PKEY_free);
  if (key == nullptr) return crypto_failure("read the node's private key");
  CertificatePointer certificate(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr), X509_free);
  if (certificate == nullptr) return crypto_failure("read the node's certificate");
  return make(std::move(key), std::move(certificate));
}

Result<std::string> NodeKey::to_pem() const {
  const BioPointer bio(BIO_new(BIO_s_mem()), BIO_free);
  if (PEM_write_bio_PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) return crypto_failure("write the key");
  if (PEM_write_bio_X509(bio.get(), certificate_.get()) != 1) return crypto_failure("write the certificate");
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(length));
}

}  // namespace mcv::host
