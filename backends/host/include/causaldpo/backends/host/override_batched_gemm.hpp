// SPDX-License-Identifier: Apache-2.0
// batched_gemm on threads of the host: whole products to threads, instead of one product after another.
#pragma once

#include "causaldpo/backends/host/parallel_host.hpp"
#include "causaldpo/ops/batched_gemm.hpp"

namespace causaldpo::detail {

/// Large products, fewer than there are threads, are split one by one as `gemm` splits them; otherwise each product
/// is computed by one thread.
template <class Backend, real_scalar T>
void host_batched_gemm(Backend& be, batched_gemm_args<T, host_space> const& x) {
  if (x.count < be.threads()) return op::batched_gemm::generic(be, x);
  index_t const inner = x.ta == transpose::no ? x.a.cols() : x.a.rows();
  double const work = 2.0 * static_cast<double>(x.c.rows()) * static_cast<double>(x.c.cols()) * static_cast<double>(inner);
  // Blocks of products, so that taking a block costs little beside computing it; by the extents alone.
  index_t const step = work < 2e5 ? static_cast<index_t>(2e5 / (work + 1e3)) + 1 : 1;
  auto const products = [&](index_t block) {
    for (index_t i = block * step; i < std::min(x.count, (block + 1) * step); ++i)
      Backend::template product<T>(x.ta, x.tb, x.alpha, x.a_at(i), x.b_at(i), x.beta, x.c_at(i));
  };
  index_t const blocks = (x.count + step - 1) / step;
  if (work > 2e6) return be.team().split(0, blocks, products);  // worth a team from the first one on
  be.team().for_each(blocks, products);
}

}  // namespace causaldpo::detail

namespace causaldpo {

template <detail::parallel_host_backend B, real_scalar T>
void override_for(op::batched_gemm, B& be, detail::batched_gemm_args<T, host_space> const& args) {
  detail::host_batched_gemm(be, args);
}

}  // namespace causaldpo
