// SPDX-License-Identifier: Apache-2.0
// What a user's program looks like: built here against an installed library in each way that the README names.
#include <cstdio>
#include <vector>

#include "causaldpo/backends/reference.hpp"
#include "causaldpo/default_backend.hpp"
#include "causaldpo/invariance/vrex_penalty.hpp"
#include "causaldpo/version.hpp"

static_assert(causaldpo::backend<causaldpo::default_backend>);

template <class Backend>
bool works(Backend& backend) {
  std::vector<double> losses{1, 3, 5, 7}, q{1, 0, 1, 0, 0, 1, 0, 1};
  double value = 0;
  causaldpo::vrex_penalty(backend, losses, causaldpo::matrix(q.data(), 4, 2), {.value = causaldpo::scalar(&value)});
  std::printf("causaldpo %s on %s: %g\n", causaldpo::version, backend.name(), value);
  double const row[] = {1, 2, 3};  // a product, for which the backend's own library must be linked
  double square = 0;
  backend.gemm(causaldpo::transpose::no, causaldpo::transpose::yes, 1.0, causaldpo::matrix(row, 1, 3), causaldpo::matrix(row, 1, 3), 0.0,
               causaldpo::matrix(&square, 1, 1));
  return value == 4.0 && square == 14.0;
}

int main() {
  causaldpo::default_backend backend;
  causaldpo::reference_backend reference;  // is there whatever the default is
  return works(backend) && works(reference) ? 0 : 1;
}
