// SPDX-License-Identifier: Apache-2.0
// The program examples/02_npy_in_npy_out on files that are written here: its gradients against the reference backend's, and
// what it says of files that it cannot take. The program's path is in CAUSALDPO_PROGRAM.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <xtensor/xnpy.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>

#include "causaldpo/backends/reference.hpp"
#include "causaldpo/backends/xtensor.hpp"
#include "causaldpo/causaldpo.hpp"
#include "support/random.hpp"

namespace causaldpo::test {
namespace {

struct npy_folder {
  std::filesystem::path path;
  xt::xtensor<double, 1> policy_chosen = log_probabilities<1>({7}, 1), reference_chosen = log_probabilities<1>({7}, 2);
  xt::xtensor<double, 2> policy_rejected = log_probabilities<2>({7, 3}, 3), reference_rejected = log_probabilities<2>({7, 3}, 4);

  npy_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "npy_XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
    xt::dump_npy(file("policy_chosen"), policy_chosen);
    xt::dump_npy(file("reference_chosen"), reference_chosen);
    xt::dump_npy(file("policy_rejected"), policy_rejected);
    xt::dump_npy(file("reference_rejected"), reference_rejected);
  }
  npy_folder(npy_folder const&) = delete;
  npy_folder& operator=(npy_folder const&) = delete;
  ~npy_folder() { std::filesystem::remove_all(path); }

  std::string file(std::string const& name) const { return (path / (name + ".npy")).string(); }
  /// The program's exit code, and what it printed.
  std::pair<int, std::string> run(std::string const& argument) const {
    std::string const output = (path / "output").string();
    char const* const program = std::getenv("CAUSALDPO_PROGRAM");
    REQUIRE(program != nullptr);
    int const status = std::system(("'" + std::string(program) + "' " + argument + " >'" + output + "' 2>&1").c_str());
    std::stringstream text;
    text << std::ifstream(output).rdbuf();
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text.str()};
  }
  std::pair<int, std::string> run() const { return run("'" + path.string() + "'"); }

 private:
  template <std::size_t N>
  static xt::xtensor<double, N> log_probabilities(std::array<std::size_t, N> const& shape, std::uint64_t seed) {
    random_source random(seed);
    xt::xtensor<double, N> x = xt::zeros<double>(shape);
    for (double& e : x) e = -random.uniform(0.1, 9);
    return x;
  }
};

}  // namespace

TEST_CASE("npy: the gradients in the files are those of the reference backend") {
  npy_folder const f;
  auto const [code, text] = f.run();
  CHECK(code == 0);
  reference_backend be;
  double loss = 0;
  xt::xtensor<double, 1> grad_chosen = xt::zeros<double>({7});
  xt::xtensor<double, 2> grad_rejected = xt::zeros<double>({7, 3});
  preference_batch<double> const batch{.policy_chosen_logps = f.policy_chosen,
                                       .policy_rejected_logps = f.policy_rejected,
                                       .reference_chosen_logps = f.reference_chosen,
                                       .reference_rejected_logps = f.reference_rejected};
  preference_loss(be, batch,
                  {.loss_mean = scalar(&loss), .grad_chosen_logps = grad_chosen, .grad_rejected_logps = grad_rejected});
  char first_words[40];
  std::snprintf(first_words, sizeof(first_words), "loss %.6f over 7 examples", loss);
  CHECK(text.rfind(first_words, 0) == 0);

  auto const written_chosen = xt::load_npy<double>(f.file("grad_chosen")),
             written_rejected = xt::load_npy<double>(f.file("grad_rejected"));
  REQUIRE(written_chosen.dimension() == 1);
  REQUIRE(written_chosen.shape(0) == 7);
  REQUIRE(written_rejected.dimension() == 2);
  REQUIRE(written_rejected.shape(1) == 3);
  for (std::size_t i = 0; i < 7; ++i) {
    CHECK(grad_chosen(i) != 0);
    CHECK(written_chosen(i) == doctest::Approx(grad_chosen(i)).epsilon(1e-12));
    for (std::size_t j = 0; j < 3; ++j) CHECK(written_rejected(i, j) == doctest::Approx(grad_rejected(i, j)).epsilon(1e-12));
  }
}

TEST_CASE("npy: what cannot be read is named, and nothing is written") {
  npy_folder const f;
  auto const expect = [&f](std::string const& words) {
    auto const [code, text] = f.run();
    CHECK(code == 1);
    CHECK_MESSAGE(text.find(words) != std::string::npos, text);
    CHECK_FALSE(std::filesystem::exists(f.file("grad_chosen")));
    CHECK_FALSE(std::filesystem::exists(f.file("grad_rejected")));
  };
  CHECK(f.run("--help").first == 0);
  CHECK(f.run("--help").second.rfind("usage: 02_npy_in_npy_out FOLDER", 0) == 0);
  CHECK(f.run("").first == 2);
  std::filesystem::resize_file(f.file("reference_rejected"), std::filesystem::file_size(f.file("reference_rejected")) - 8);
  expect("reference_rejected.npy: ends before its last element");
  xt::dump_npy(f.file("reference_rejected"), xt::xtensor<float, 2>(f.reference_rejected));
  expect("reference_rejected.npy: ");
  xt::dump_npy(f.file("reference_rejected"), xt::xtensor<double, 2>(xt::view(f.reference_rejected, xt::all(), xt::range(0, 2))));
  expect("preference_loss: reference_rejected_logps is [7, 2] and must be [7, 3]");
  xt::dump_npy(f.file("reference_rejected"), xt::xtensor<double, 2, xt::layout_type::column_major>(f.reference_rejected));
  expect("is a matrix in whose rows the elements lie 7 apart and must be row-major");
  xt::dump_npy(f.file("reference_rejected"), f.reference_chosen);
  expect("has 1 dimensions and must have 2");
  std::filesystem::remove(f.file("policy_chosen"));
  expect("policy_chosen.npy: cannot be opened");
}

}  // namespace causaldpo::test
