// SPDX-License-Identifier: Apache-2.0
// SHA-256 through OpenSSL.
#include "store/sha256.hpp"

#include <openssl/evp.h>

#include <array>
#include <fstream>
#include <memory>
#include <vector>

#include "store/store_error.hpp"

namespace recommender {

namespace {

class digest {
 public:
  digest() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) { check(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1); }

  void add(std::string_view bytes) { check(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1); }

  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
    unsigned int length = 0;
    check(EVP_DigestFinal_ex(context_.get(), sum.data(), &length) == 1);
    std::string out;
    for (unsigned int i = 0; i < length; ++i) {
      out += "0123456789abcdef"[sum[i] >> 4U];
      out += "0123456789abcdef"[sum[i] & 15U];
    }
    return out;
  }

 private:
  static void check(bool good) {
    if (!good) throw store_error("SHA-256 cannot be computed: the cryptographic library refuses");
  }

  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string sha256_of_bytes(std::string_view bytes) {
  digest sum;
  sum.add(bytes);
  return sum.hex();
}

std::string sha256_of_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw store_error(path.string() + ": cannot be opened for reading");
  digest sum;
  std::vector<char> piece(std::size_t{1} << 20U);
  while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())) || in.gcount() > 0)
    sum.add({piece.data(), static_cast<std::size_t>(in.gcount())});
  if (in.bad()) throw store_error(path.string() + ": cannot be read to its end");
  return sum.hex();
}

}  // namespace recommender
