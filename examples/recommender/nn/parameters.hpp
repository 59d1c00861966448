// SPDX-License-Identifier: Apache-2.0
// The model's sizes, and its parameters as named pieces of one flat vector: what the optimiser walks and a file stores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include "causaldpo/core/error.hpp"
#include "causaldpo/core/philox.hpp"
#include "nn/attention.hpp"
#include "nn/feed_forward.hpp"

namespace recommender {

struct model_options {
  index_t items = 0;          ///< V
  index_t dim = 48;           ///< D, the width of everything
  index_t blocks = 1;         ///< attention + feed-forward pairs
  index_t heads = 1;          ///< per block; divides dim
  index_t feed_forward = 96;  ///< F
  index_t max_length = 50;    ///< P, items that the model looks back
  bool positions = true;      ///< learned positions; false for logs without order
};

/// Throws option_error where the sizes make no model.
inline void check_options(model_options const& o) {
  auto const expect = [](char const* name, bool ok, index_t was, char const* must) {
    if (ok) return;
    std::ostringstream text;
    text << "model: " << name << " is " << was << " and must be " << must;
    throw causaldpo::option_error(text.str());
  };
  expect("items", o.items > 0, o.items, "at least 1");
  expect("dim", o.dim > 0, o.dim, "at least 1");
  expect("blocks", o.blocks >= 0, o.blocks, "at least 0");
  expect("heads", o.heads > 0 && o.dim % o.heads == 0, o.heads, "a divisor of dim");
  expect("feed_forward", o.feed_forward > 0, o.feed_forward, "at least 1");
  expect("max_length", o.max_length > 0, o.max_length, "at least 1");
}

/// How a parameter starts, and whether weight decay is for it.
enum class parameter_kind {
  table,   ///< N(0, scale), no decay
  weight,  ///< N(0, scale), decay
  gain,    ///< 1, no decay
  bias     ///< 0, no decay
};

/// One parameter: [rows, cols] (a vector has rows 1) at `offset` of the flat vector.
struct parameter_entry {
  std::string name;
  index_t rows, cols, offset;
  parameter_kind kind;
};

/// All parameters in the order of the flat vector. Each begins at a multiple of 16 elements; the gaps are 0 and stay 0.
inline std::vector<parameter_entry> parameter_table(model_options const& o) {
  check_options(o);
  std::vector<parameter_entry> table;
  index_t next = 0;
  auto const add = [&](std::string const& name, index_t rows, index_t cols, parameter_kind kind) {
    table.push_back({name, rows, cols, next, kind});
    next += (rows * cols + 15) / 16 * 16;
  };
  add("items", o.items, o.dim, parameter_kind::table);
  add("item_bias", 1, o.items, parameter_kind::bias);
  if (o.positions) add("positions", o.max_length, o.dim, parameter_kind::table);
  for (index_t b = 0; b < o.blocks; ++b) {
    std::ostringstream prefix;
    prefix << "block" << b << '.';
    std::string const p = prefix.str();
    add(p + "norm1.gain", 1, o.dim, parameter_kind::gain);
    add(p + "norm1.bias", 1, o.dim, parameter_kind::bias);
    add(p + "attention.qkv", o.dim, 3 * o.dim, parameter_kind::weight);
    add(p + "attention.qkv_bias", 1, 3 * o.dim, parameter_kind::bias);
    add(p + "attention.out", o.dim, o.dim, parameter_kind::weight);
    add(p + "attention.out_bias", 1, o.dim, parameter_kind::bias);
    add(p + "norm2.gain", 1, o.dim, parameter_kind::gain);
    add(p + "norm2.bias", 1, o.dim, parameter_kind::bias);
    add(p + "feed_forward.up", o.dim, o.feed_forward, parameter_kind::weight);
    add(p + "feed_forward.up_bias", 1, o.feed_forward, parameter_kind::bias);
    add(p + "feed_forward.down", o.feed_forward, o.dim, parameter_kind::weight);
    add(p + "feed_forward.down_bias", 1, o.dim, parameter_kind::bias);
  }
  add("norm.gain", 1, o.dim, parameter_kind::gain);
  add("norm.bias", 1, o.dim, parameter_kind::bias);
  return table;
}

/// Elements of the flat vector, gaps included.
inline index_t parameter_count(model_options const& o) {
  auto const last = parameter_table(o).back();
  return last.offset + (last.rows * last.cols + 15) / 16 * 16;
}

/// Starting values, a function of the options and the seed alone. A small `scale` lets the blocks begin near the identity.
template <causaldpo::real_scalar T>
std::vector<T> initial_parameters(model_options const& o, std::uint64_t seed, double scale = 0.02) {
  std::vector<T> flat(static_cast<std::size_t>(parameter_count(o)), T(0));
  causaldpo::random_stream const draws{seed, 1};
  for (auto const& p : parameter_table(o))
    for (index_t i = 0; i < p.rows * p.cols; ++i) {
      T& x = flat[static_cast<std::size_t>(p.offset + i)];
      if (p.kind == parameter_kind::gain) x = T(1);
      if (p.kind == parameter_kind::table || p.kind == parameter_kind::weight)
        x = static_cast<T>(scale * draws.normal(static_cast<std::uint64_t>(p.offset + i)));
    }
  return flat;
}

/// The parameters of one block, or their gradients.
template <class E, class S>
struct block_parameters {
  causaldpo::view<E, 1, S> norm1_gain, norm1_bias;
  attention_parameters<E, S> attention;
  causaldpo::view<E, 1, S> norm2_gain, norm2_bias;
  feed_forward_parameters<E, S> feed_forward;
};

/// The flat vector of E (T or T const), seen as what it holds.
template <class E, class S>
struct model_parameters {
  causaldpo::view<E, 1, S> flat;
  causaldpo::view<E, 2, S> items;      ///< [V,D], input embeddings and output weights
  causaldpo::view<E, 1, S> item_bias;  ///< [V]
  causaldpo::view<E, 2, S> positions;  ///< [P,D], or not given
  std::vector<block_parameters<E, S>> blocks;
  causaldpo::view<E, 1, S> norm_gain, norm_bias;

  /// `flat_vector` has parameter_count(o) elements and outlives the views.
  model_parameters(model_options const& o, causaldpo::view<E, 1, S> flat_vector) : flat(flat_vector) {
    auto const table = parameter_table(o);
    std::size_t next = 0;
    auto const matrix = [&] {
      auto const& p = table[next++];
      return causaldpo::view<E, 2, S>(flat.data() + p.offset, p.rows, p.cols);
    };
    auto const vector = [&] {
      auto const& p = table[next++];
      return causaldpo::view<E, 1, S>(flat.data() + p.offset, p.cols);
    };
    items = matrix();
    item_bias = vector();
    if (o.positions) positions = matrix();
    for (index_t b = 0; b < o.blocks; ++b) {
      block_parameters<E, S> block;
      block.norm1_gain = vector();
      block.norm1_bias = vector();
      block.attention.qkv = matrix();
      block.attention.qkv_bias = vector();
      block.attention.out = matrix();
      block.attention.out_bias = vector();
      block.norm2_gain = vector();
      block.norm2_bias = vector();
      block.feed_forward.up = matrix();
      block.feed_forward.up_bias = vector();
      block.feed_forward.down = matrix();
      block.feed_forward.down_bias = vector();
      blocks.push_back(block);
    }
    norm_gain = vector();
    norm_bias = vector();
  }
};

}  // namespace recommender
