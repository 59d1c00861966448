// SPDX-License-Identifier: Apache-2.0
// Writing a model folder and reading it back, with every size checked.
#include "app/saved_model.hpp"

#include <sstream>

#include "app/held_out.hpp"
#include "causaldpo/version.hpp"
#include "nn/parameters.hpp"

namespace recommender {
namespace {

nlohmann::json axis_to_json(exposure_axis const& e) {
  environment_axis const& a = e.axis;
  return {{"covariate", a.covariate}, {"kind", static_cast<int>(a.kind)}, {"period", a.period}, {"centres", a.centres}, {"weights", a.weights},
          {"variances", a.variances}, {"levels", a.levels}, {"smoothing", e.smoothing}, {"gain", e.gain}};
}

exposure_axis axis_from_json(nlohmann::json const& j) {
  exposure_axis e;
  e.axis = {j.at("covariate"), static_cast<axis_kind>(j.at("kind").get<int>()), j.at("period"), j.at("centres"), j.at("weights"), j.at("variances"),
            j.at("levels")};
  e.smoothing = j.at("smoothing");
  e.gain = j.at("gain");
  return e;
}

std::string axis_array(char const* what, std::size_t axis) {
  std::ostringstream name;
  name << what << '.' << axis;
  return name.str();
}

template <class T = float>
std::vector<T> array(model_folder const& folder, std::string const& name, std::size_t elements) {
  auto const found = folder.tensors.find(name);
  if (found == folder.tensors.end()) throw store_error("the model lacks the array " + name);
  std::vector<T> values = values_of<T>(found->second);
  if (values.size() != elements)
    throw store_error("the model's array " + name + " has " + std::to_string(values.size()) + " elements and must have " + std::to_string(elements));
  return values;
}

std::string const& text(model_folder const& folder, std::string const& name) {
  auto const found = folder.texts.find(name);
  if (found == folder.texts.end()) throw store_error("the model lacks the file " + name);
  return found->second;
}

}  // namespace

void save(output_folder& folder, saved_model const& m) {
  model_folder out;
  model_options const& o = m.net.options;
  out.library_version = causaldpo::version;
  out.options = {{"method", m.method}, {"beta", m.beta}, {"kappa_today", m.kappa_today}, {"training", m.training}, {"decisions", m.environments.decisions},
                 {"sizes", {{"items", o.items}, {"dim", o.dim}, {"blocks", o.blocks}, {"heads", o.heads}, {"feed_forward", o.feed_forward},
                            {"max_length", o.max_length}, {"positions", o.positions}, {"context", m.net.context}}},
                 {"axes", nlohmann::json::array()}};
  for (parameter_entry const& p : parameter_table(o)) {
    auto const first = static_cast<std::size_t>(p.offset), count = static_cast<std::size_t>(p.rows * p.cols);
    std::vector<std::int64_t> shape = p.rows == 1 ? std::vector<std::int64_t>{p.cols} : std::vector<std::int64_t>{p.rows, p.cols};
    out.tensors.emplace(p.name, make_tensor<float>(shape, std::span<float const>(m.net.weights).subspan(first, count)));
  }
  auto const items = static_cast<std::int64_t>(m.environments.items());
  out.tensors.emplace("log_marginal", make_tensor<float>({items}, m.environments.log_marginal));
  out.tensors.emplace("item_counts", make_tensor<std::int64_t>({items}, m.item_counts));
  for (std::size_t a = 0; a < m.environments.axes.size(); ++a) {
    exposure_axis const& e = m.environments.axes[a];
    out.options["axes"].push_back(axis_to_json(e));
    auto const k = static_cast<std::int64_t>(e.axis.environments());
    out.tensors.emplace(axis_array("log_conditional", a), make_tensor<float>({k, items}, e.log_conditional));
    out.tensors.emplace(axis_array("environment_prior", a), make_tensor<float>({k}, e.prior));
  }
  std::vector<std::int64_t> history_ends, history_items;
  for (auto const& h : m.histories) {
    history_items.insert(history_items.end(), h.begin(), h.end());
    history_ends.push_back(static_cast<std::int64_t>(history_items.size()));
  }
  out.tensors.emplace("history_ends", make_tensor<std::int64_t>({static_cast<std::int64_t>(history_ends.size())}, history_ends));
  out.tensors.emplace("history_items", make_tensor<std::int64_t>({static_cast<std::int64_t>(history_items.size())}, history_items));
  out.options["now"] = m.now;
  out.options["circumstances"] = m.circumstances;
  out.texts = {{"items.tsv", ids_to_text(m.item_ids, m.item_titles)}, {"users.tsv", ids_to_text(m.user_ids)}, {"held_out.csv", m.held_out}};
  save_model_folder(folder, out);
}

saved_model load(std::filesystem::path const& path) {
  model_folder const in = load_model_folder(path);
  saved_model m;
  try {
    nlohmann::json const& j = in.options;
    nlohmann::json const& sizes = j.at("sizes");
    m.method = j.at("method");
    m.beta = j.at("beta");
    m.kappa_today = j.at("kappa_today");
    m.training = j.at("training");
    m.now = j.at("now");
    m.circumstances = j.at("circumstances").get<std::vector<std::string>>();
    m.environments.decisions = j.at("decisions").get<std::vector<std::string>>();
    m.net.options = {sizes.at("items"), sizes.at("dim"), sizes.at("blocks"), sizes.at("heads"), sizes.at("feed_forward"), sizes.at("max_length"), sizes.at("positions")};
    m.net.context = sizes.at("context");
    for (nlohmann::json const& axis : j.at("axes")) m.environments.axes.push_back(axis_from_json(axis));
  } catch (nlohmann::json::exception const& problem) {
    throw store_error(path.string() + "/model.json does not describe a recommender: " + problem.what());
  }
  m.net.weights.assign(static_cast<std::size_t>(parameter_count(m.net.options)), 0.0F);
  for (parameter_entry const& p : parameter_table(m.net.options)) {
    std::vector<float> const values = array(in, p.name, static_cast<std::size_t>(p.rows * p.cols));
    std::copy(values.begin(), values.end(), m.net.weights.begin() + static_cast<std::ptrdiff_t>(p.offset));
  }
  auto const items = static_cast<std::size_t>(m.net.options.items);
  m.environments.log_marginal = array(in, "log_marginal", items);
  m.item_counts = array<std::int64_t>(in, "item_counts", items);
  for (std::size_t a = 0; a < m.environments.axes.size(); ++a) {
    std::size_t const k = m.environments.axes[a].axis.environments();
    m.environments.axes[a].log_conditional = array(in, axis_array("log_conditional", a), k * items);
    m.environments.axes[a].prior = array(in, axis_array("environment_prior", a), k);
  }
  std::vector<std::string> no_titles;
  ids_from_text(text(in, "items.tsv"), m.item_ids, m.item_titles);
  ids_from_text(text(in, "users.tsv"), m.user_ids, no_titles);
  m.held_out = text(in, "held_out.csv");
  std::vector<std::int64_t> const ends = array<std::int64_t>(in, "history_ends", m.user_ids.size());
  std::vector<std::int64_t> const taken = array<std::int64_t>(in, "history_items", ends.empty() ? 0 : static_cast<std::size_t>(ends.back()));
  for (std::size_t u = 0, next = 0; u < ends.size(); ++u) {
    m.histories.emplace_back();
    for (; next < static_cast<std::size_t>(ends[u]) && next < taken.size(); ++next) {
      if (taken[next] < 0 || static_cast<std::size_t>(taken[next]) >= items) throw store_error(path.string() + ": a history holds an item outside the catalogue");
      m.histories.back().push_back(static_cast<std::int32_t>(taken[next]));
    }
  }
  m.circumstances.resize(m.user_ids.size());
  if (m.item_ids.size() != items) throw store_error(path.string() + ": items.tsv does not have a line for each item");
  return m;
}

}  // namespace recommender
