// SPDX-License-Identifier: Apache-2.0
// The CUDA backend as a caller in plain C++ meets it: copies, streams, the caller's own cuBLAS handle, what synchronize throws.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "causaldpo/backends/cuda.hpp"
#include "causaldpo/core/adapt.hpp"
#include "causaldpo/invariance/vrex_penalty.hpp"
#include "support/random.hpp"

namespace causaldpo::test {

TEST_CASE("cuda_backend: copies to the device, on it, and back, through padded rows") {
  cuda_backend be;
  std::vector<double> const from = random_source(1).normals<double>(7 * 5);
  std::vector<double> to(7 * 6, 9);
  auto first = be.allocate<double>(7 * 8), second = be.allocate<double>(7 * 9);
  view<double, 2, device_space> const a{first.data(), 7, 4, 8}, b{second.data(), 7, 4, 9};

  be.copy(a, view<double const, 2>(matrix(from.data(), 7, 4, 5)));
  be.copy(b, view<double const, 2, device_space>(a));
  be.copy(matrix(to.data(), 7, 4, 6), view<double const, 2, device_space>(b));
  be.synchronize();

  for (std::size_t i = 0; i < 7; ++i)
    for (std::size_t j = 0; j < 6; ++j) CHECK(to[6 * i + j] == (j < 4 ? from[5 * i + j] : 9));
}

TEST_CASE("cuda_backend: synchronize names the NaN that an operation met, once") {
  cuda_backend be;
  std::vector<float> losses(40, 1), q(40, 1);
  losses[17] = std::numeric_limits<float>::quiet_NaN();
  float value = 0;
  auto const l = be.allocate<float>(40), m = be.allocate<float>(40), v = be.allocate<float>(1);
  be.copy(l.vector(), view<float const, 1>(losses));
  be.copy(m.vector(), view<float const, 1>(q));

  vrex_penalty(be, l.vector(), m.matrix(40, 1), {.value = v.vector()});  // returns: nothing has been read yet
  CHECK_THROWS_WITH_AS(be.synchronize(), doctest::Contains("vrex_penalty: per_example_losses holds a NaN at flat position 17"),
                       value_error);
  be.synchronize();

  losses[17] = 1;
  be.copy(l.vector(), view<float const, 1>(losses));
  vrex_penalty(be, l.vector(), m.matrix(40, 1), {.value = v.vector()});
  be.copy(scalar(&value), view<float const, 1, device_space>(v.vector()));
  be.synchronize();
  CHECK(value == 0);
  CHECK_THROWS_AS(vrex_penalty(be, l.vector(), m.matrix(39, 1), {.value = v.vector()}), shape_error);
}

TEST_CASE("cuda_backend: a handle of the caller's is used on its own stream only") {
  cublasHandle_t handle = nullptr;
  REQUIRE(cublasCreate(&handle) == CUBLAS_STATUS_SUCCESS);
  {
    cuda_backend be(nullptr, handle);
    CHECK(be.cublas() == handle);
    std::vector<float> const x{1, 2, 3, 4};
    std::vector<float> y(4, std::numeric_limits<float>::quiet_NaN());
    auto const a = be.allocate<float>(4), c = be.allocate<float>(4);
    be.copy(a.vector(), view<float const, 1>(x));
    be.gemm(transpose::no, transpose::yes, 2.0F, view<float const, 2, device_space>(a.matrix(2, 2)),
            view<float const, 2, device_space>(a.matrix(2, 2)), 0.0F, c.matrix(2, 2));
    be.copy(vector(y.data(), 4), view<float const, 1, device_space>(c.vector()));
    be.synchronize();
    CHECK(y == std::vector<float>{10, 22, 22, 50});
  }
  auto const elsewhere = reinterpret_cast<cudaStream_t>(2);  // cudaStreamPerThread
  CHECK_THROWS_WITH_AS(cuda_backend(elsewhere, handle), doctest::Contains("must be set to the backend's"), option_error);
  CHECK(cublasDestroy(handle) == CUBLAS_STATUS_SUCCESS);
}

}  // namespace causaldpo::test
