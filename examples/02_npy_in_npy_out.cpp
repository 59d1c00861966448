// SPDX-License-Identifier: Apache-2.0
// Log-probabilities from NumPy files, gradients into NumPy files: the DPO loss of a batch that another program wrote with
// numpy.save, on the xtensor backend. xtensor's arrays go in and come out as they are, without a copy.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <xtensor/xarray.hpp>
#include <xtensor/xnpy.hpp>

#include "causaldpo/backends/xtensor.hpp"
#include "causaldpo/causaldpo.hpp"

namespace {

constexpr char const* usage = R"(usage: 02_npy_in_npy_out FOLDER
Reads from FOLDER, in double precision ('<f8') and C order:
  policy_chosen.npy, reference_chosen.npy       [B]    log-probabilities of the chosen items
  policy_rejected.npy, reference_rejected.npy   [B,J]  and of J rejected items for each
Writes grad_chosen.npy [B] and grad_rejected.npy [B,J], what the mean DPO loss (beta 0.1) gains by each log-probability of
the policy, and prints the loss.
)";

auto load(std::string const& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error(path + ": cannot be opened");
  try {
    auto x = xt::load_npy<double>(in);
    if (!in) throw std::runtime_error("ends before its last element");
    return x;
  } catch (std::runtime_error const& e) {
    throw std::runtime_error(path + ": " + e.what());
  }
}

void save(std::string const& path, xt::xarray<double> const& x) {
  std::ofstream out(path, std::ios::binary);
  out << xt::dump_npy(x) << std::flush;
  if (!out) throw std::runtime_error(path + ": cannot be written");
}

void run(std::string const& folder) {
  auto const policy_chosen = load(folder + "/policy_chosen.npy"), reference_chosen = load(folder + "/reference_chosen.npy"),
             policy_rejected = load(folder + "/policy_rejected.npy"),
             reference_rejected = load(folder + "/reference_rejected.npy");
  xt::xarray<double> grad_chosen = xt::zeros<double>(policy_chosen.shape()),
                     grad_rejected = xt::zeros<double>(policy_rejected.shape());
  double loss = 0;

  causaldpo::xtensor_backend backend;
  causaldpo::preference_batch<double> const batch{.policy_chosen_logps = policy_chosen,
                                                  .policy_rejected_logps = policy_rejected,
                                                  .reference_chosen_logps = reference_chosen,
                                                  .reference_rejected_logps = reference_rejected};
  causaldpo::preference_loss(
      backend, batch,
      {.loss_mean = causaldpo::scalar(&loss), .grad_chosen_logps = grad_chosen, .grad_rejected_logps = grad_rejected});

  save(folder + "/grad_chosen.npy", grad_chosen);
  save(folder + "/grad_rejected.npy", grad_rejected);
  std::printf("loss %.6f over %lld examples; gradients are in %s\n", loss,
              static_cast<long long>(batch.policy_chosen_logps.size()), folder.c_str());
}

}  // namespace

int main(int count, char** arguments) try {
  bool const asked = count == 2 && (!std::strcmp(arguments[1], "--help") || !std::strcmp(arguments[1], "-h"));
  if (count != 2 || asked) return std::fputs(usage, asked ? stdout : stderr), asked ? 0 : 2;
  run(arguments[1]);
} catch (std::exception const& e) {
  std::fprintf(stderr, "02_npy_in_npy_out: %s\n", e.what());
  return 1;
}
