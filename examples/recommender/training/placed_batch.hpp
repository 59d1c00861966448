// SPDX-License-Identifier: Apache-2.0
// A batch in the memory of a backend, with the plan for the gradient of its lookups in the item table.
#pragma once

#include "nn/scatter.hpp"
#include "training/batches.hpp"

namespace recommender {

/// Holds one batch at a time; its room is taken once.
template <causaldpo::backend B>
class placed_batch {
  using S = typename B::space;
  template <class X>
  using vector_of = causaldpo::view<X const, 1, S>;

 public:
  /// For batches of at most `max_rows` rows.
  placed_batch(B& be, index_t max_rows)
      : tokens_(be, max_rows),
        example_of_(be, max_rows),
        rows_(be, max_rows),
        targets_(be, max_rows),
        positions_(be, max_rows),
        inputs_(be, max_rows) {}

  /// `batch` is not changed while this one is used, if the backend works in the host's memory.
  void place(B& be, training_batch const& batch) {
    sequences_ = batch.sequences;
    length_ = batch.length;
    plan_.build(batch.tokens);
    tokens_.place(be, batch.tokens, out_);
    example_of_.place(be, batch.example_of, out_);
    rows_.place(be, batch.rows, out_);
    targets_.place(be, batch.targets, out_);
    positions_.place(be, batch.positions, out_);
    inputs_.place(be, plan_, out_);
  }
  index_t examples() const { return targets_.view().size(); }
  /// Members of training_batch.
  sequence_batch<S> input() const { return {sequences_, length_, tokens_.view()}; }
  vector_of<std::int32_t> example_of() const { return example_of_.view(); }
  vector_of<std::int32_t> rows() const { return rows_.view(); }
  vector_of<std::int32_t> targets() const { return targets_.view(); }
  vector_of<std::int64_t> positions() const { return positions_.view(); }
  /// The tokens as lookups in the item table.
  scatter_lookups<S> lookups() const { return inputs_.view(); }

 private:
  index_t sequences_ = 0, length_ = 0;
  scatter_plan plan_;
  mirror<B, std::int32_t const> tokens_, example_of_, rows_, targets_;
  mirror<B, std::int64_t const> positions_;
  placed_plan<B> inputs_;
  outbox out_;
};

}  // namespace recommender
