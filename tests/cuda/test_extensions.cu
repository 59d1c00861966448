// SPDX-License-Identifier: Apache-2.0
// A loss, a kernel and an estimator of the user's own on the device, compiled by nvcc from the headers alone: the same bits of
// mathematics that the other backends run in the tests of their operations.
#include "causaldpo/backends/cuda.cuh"
#include "causaldpo/backends/reference.hpp"
#include "causaldpo/causaldpo.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

namespace causaldpo::test {

/// exp(-z).
struct own_loss {
  template <class V>
  CAUSALDPO_HD margin_terms<V> at_margin(V const& z, loss_context<V> const&) const {
    V const e = math::exp<V>(-z);
    return {e, -e};
  }
};
/// 1 / (1 + u).
struct own_kernel {
  template <class V>
  CAUSALDPO_HD kernel_point<V> operator()(V const& u) const {
    V const one = math::broadcast<V>(1), k = one / (one + u);
    return {k, -k * k};
  }
};

/// sum_k R_k^2 / 2.
struct half_square_risk {
  template <class T, class S>
  CAUSALDPO_HD accumulator operator()(environment_risks<T, S> const& e, view<accumulator, 1, S> weights) const {
    accumulator value = 0;
    for (index_t k = 0; k < e.size(); ++k) {
      weights.at(k) = e.risks.at(k);
      value += e.risks.at(k) * e.risks.at(k) / 2;
    }
    return value;
  }
};

template <class T>
std::vector<T> download(cuda_backend& be, view<T, 1, device_space> v) {
  std::vector<T> host(static_cast<std::size_t>(v.size()));
  be.copy(vector(host.data(), v.size()), view<T const, 1, device_space>(v));
  be.synchronize();
  return host;
}
template <class T>
auto upload(cuda_backend& be, std::vector<T> const& x) {
  auto memory = be.allocate<T>(static_cast<index_t>(x.size()));
  be.copy(memory.vector(), view<T const, 1>(x));
  return memory;
}

TEST_CASE_TEMPLATE("cuda: a loss of one's own", T, double, float) {
  cuda_backend be;
  reference_backend oracle;
  index_t const b = 1000, j = 3;
  random_source random(1);
  auto const chosen = random.normals<T>(b), rejected = random.normals<T>(b * j);
  std::vector<T> loss(static_cast<std::size_t>(b)), gradient(loss.size());
  preference_options_for<own_loss> const options{.beta = 0.5, .reference_free = true};
  preference_loss(oracle,
                  preference_batch<T>{.policy_chosen_logps = chosen, .policy_rejected_logps = matrix(rejected.data(), b, j)},
                  {.loss = loss, .grad_chosen_logps = gradient}, options);

  auto const c = upload(be, chosen), r = upload(be, rejected);
  auto const l = be.allocate<T>(b), g = be.allocate<T>(b);
  preference_loss(be,
                  preference_batch<T, device_space>{.policy_chosen_logps = c.vector(), .policy_rejected_logps = r.matrix(b, j)},
                  {.loss = l.vector(), .grad_chosen_logps = g.vector()}, options);
  CHECK(relative_error(download(be, l.vector()), loss) < tolerance<T>(j));
  CHECK(relative_error(download(be, g.vector()), gradient) < tolerance<T>(b));
}

TEST_CASE_TEMPLATE("cuda: a kernel of one's own", T, double, float) {
  cuda_backend be;
  reference_backend oracle;
  index_t const b = 300, d = 5, k = 3;
  random_source random(2);
  auto const x = random.normals<T>(b * d), q = random.memberships<T>(b, k);
  T value = 0;
  std::vector<T> gradient(x.size());
  mmd_options_for<own_kernel> const options{.bandwidths = {0.5, 2}};
  mmd_penalty(oracle, matrix(x.data(), b, d), matrix(q.data(), b, k),
              {.value = scalar(&value), .grad_outputs = matrix(gradient.data(), b, d)}, options);

  auto const dx = upload(be, x), dq = upload(be, q);
  auto const v = be.allocate<T>(1), g = be.allocate<T>(b * d);
  mmd_penalty(be, dx.matrix(b, d), dq.matrix(b, k), {.value = v.vector(), .grad_outputs = g.matrix(b, d)}, options);
  CHECK(relative_error(download(be, v.vector()), std::vector<T>{value}) < 8 * tolerance<T>(b * b));
  CHECK(relative_error(download(be, g.vector()), gradient) < 8 * tolerance<T>(b * b));
}

TEST_CASE_TEMPLATE("cuda: an estimator of one's own", T, double, float) {
  cuda_backend be;
  reference_backend oracle;
  index_t const b = 300, k = 3;
  random_source random(3);
  auto const losses = random.normals<T>(b), q = random.memberships<T>(b, k);
  T value = 0;
  std::vector<T> gradient(losses.size());
  adjustment_options_for<half_square_risk> const options{};
  adjusted_loss(oracle, losses, matrix(q.data(), b, k), {.value = scalar(&value), .grad_losses = gradient}, options);

  auto const l = upload(be, losses), dq = upload(be, q);
  auto const v = be.allocate<T>(1), g = be.allocate<T>(b);
  adjusted_loss(be, l.vector(), dq.matrix(b, k), {.value = v.vector(), .grad_losses = g.vector()}, options);
  CHECK(relative_error(download(be, v.vector()), std::vector<T>{value}) < tolerance<T>(b));
  CHECK(relative_error(download(be, g.vector()), gradient) < tolerance<T>(b));
}

}  // namespace causaldpo::test
