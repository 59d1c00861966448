// SPDX-License-Identifier: Apache-2.0
// Runs golden cases of gmm_em.
#pragma once

#include "causaldpo/environment/gmm_em.hpp"
#include "conformance/inputs.hpp"
#include "conformance/outputs.hpp"

namespace causaldpo::conformance {

template <backend B, real_scalar T>
void conform_gmm_em(B& be, case_inputs<B, T>& in, case_outputs<B, T>& out) {
  auto const& o = in.options();
  gmm_em_options options;
  options.covariance_type = o.choice("covariance_type", options.covariance_type,
                                     {{"spherical", covariance_kind::spherical},
                                      {"diag", covariance_kind::diag},
                                      {"tied", covariance_kind::tied},
                                      {"full", covariance_kind::full}});
  options.n_iter = o.integer("n_iter", options.n_iter);
  options.tol = o.number("tol", options.tol);
  options.reg_covar = o.number("reg_covar", options.reg_covar);
  options.min_mass = o.number("min_mass", options.min_mass);

  auto const x = in.matrix("x"), means = in.matrix("means_init");
  index_t const k = means.rows();
  gmm_em(be, x, {.weights = in.vector("weights_init"), .means = means, .covariances = in.matrix("covariances_init")},
         {.weights = out.vector("weights", k),
          .means = out.matrix("means", k, means.cols()),
          .covariances = out.tensor("covariances", in.shape("covariances_init")),
          .responsibilities = out.matrix("responsibilities", x.rows(), k),
          .log_likelihood = out.vector("log_likelihood", options.n_iter),
          .final_log_likelihood = out.scalar("final_log_likelihood"),
          .bic = out.scalar("bic"),
          .aic = out.scalar("aic"),
          .n_parameters = out.integer("n_parameters")},
         options);
}

}  // namespace causaldpo::conformance
