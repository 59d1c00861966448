// SPDX-License-Identifier: Apache-2.0
// Scores of the whole catalogue for histories: what evaluation ranks and a user is served.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <vector>

#include "nn/mirror.hpp"
#include "nn/model.hpp"
#include "training/options.hpp"
#include "training/rows.hpp"

namespace recommender {

/// A trained model ready to score; keeps the activations of a block of users between calls.
template <causaldpo::backend B, causaldpo::real_scalar T>
class scorer {
  using S = typename B::space;
  using history = std::span<std::int32_t const>;
  static constexpr index_t block = 256;

 public:
  /// `trained` must outlive the scorer.
  scorer(B& be, trained_model<T> const& trained)
      : trained_(trained),
        net_(be, trained.options, block * trained.context),
        weights_(be, trained.weights),
        w_(trained.options, weights_.view()),
        hidden_(be.template allocate<T>(block * trained.options.dim)),
        placed_tokens_(be, block * trained.context),
        placed_last_(be, block) {
    if constexpr (!in_host_memory<B>) scores_.emplace(be.template allocate<T>(block * trained.options.items));
  }

  /// scores_uy = h_u . items_y + item_bias_y, of the last output h_u after the most recent `context` items of history u, oldest
  /// first. An empty history scores by the bias alone. scores is [histories, V], in the host's memory. Items of the history are
  /// scored like any other.
  void score(B& be, std::span<history const> histories, std::type_identity_t<causaldpo::view<T, 2>> scores) {
    auto const count = static_cast<index_t>(histories.size()), v = trained_.options.items;
    causaldpo::detail::expect_shape("score", "scores", scores, count, v, "histories x items");
    for (index_t first = 0; first < count; first += block) {
      index_t const n = std::min(block, count - first);
      auto const part = histories.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(n));
      if constexpr (in_host_memory<B>) {
        score_block(be, part, scores.row_block(first, n));
      } else {
        out_matrix<T, B> const made = scores_->matrix(n, v);
        score_block(be, part, made);
        be.copy(scores.row_block(first, n), in_matrix<T, B>(made));
      }
    }
    be.synchronize();
  }

 private:
  void score_block(B& be, std::span<history const> histories, out_matrix<T, B> scores) {
    auto const count = static_cast<index_t>(histories.size());
    std::size_t length = 1;
    for (history h : histories) length = std::max(length, std::min(h.size(), static_cast<std::size_t>(trained_.context)));
    tokens_.assign(static_cast<std::size_t>(count) * length, -1);
    last_.assign(static_cast<std::size_t>(count), -1);
    for (std::size_t u = 0; u < histories.size(); ++u) {
      history const recent = histories[u].last(std::min(histories[u].size(), length));
      std::copy(recent.begin(), recent.end(), tokens_.begin() + static_cast<std::ptrdiff_t>(u * length));
      if (!recent.empty()) last_[u] = static_cast<std::int32_t>(u * length + recent.size() - 1);
    }
    placed_tokens_.place(be, tokens_, out_);
    placed_last_.place(be, last_, out_);
    auto const h = net_.forward(be, w_, {count, static_cast<index_t>(length), placed_tokens_.view()});
    out_matrix<T, B> const users = hidden_.matrix(count, h.cols());
    be.launch_2d(count, h.cols(), spread_rows_kernel<T, S>{h, placed_last_.view(), users});
    linear_head(be, users, scores);
  }
  void linear_head(B& be, in_matrix<T, B> users, out_matrix<T, B> scores) {
    be.gemm(causaldpo::transpose::no, causaldpo::transpose::yes, T(1), users, w_.items, T(0), scores);
    be.launch_2d(scores.rows(), scores.cols(), add_row_kernel<T, S>{w_.item_bias, scores});
  }

  trained_model<T> const& trained_;
  model<B, T> net_;
  mirror<B, T const> weights_;
  model_parameters<T const, S> w_;
  scratch_of<B, T> hidden_;
  std::vector<std::int32_t> tokens_, last_;
  mirror<B, std::int32_t const> placed_tokens_, placed_last_;
  std::optional<scratch_of<B, T>> scores_;  ///< of a block, where the host's own memory will not do
  outbox out_;
};

}  // namespace recommender
