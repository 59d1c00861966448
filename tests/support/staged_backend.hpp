// SPDX-License-Identifier: Apache-2.0
// Runs the typed test bodies, which hand host memory to operations, on a backend whose memory the host cannot read. It is a
// backend of host memory that replaces every operation: the arguments are copied to the device, the operation runs there,
// what it wrote is copied back. On the way it holds the device to two promises: inputs are never modified, and nothing is
// written between the rows of an output.
#pragma once

#include <cstddef>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <vector>

#include "causaldpo/backends/reference.hpp"
#include "causaldpo/core/indices.hpp"
#include "causaldpo/ops/batched_gemm.hpp"
#include "support/fields.hpp"

namespace causaldpo::test {

/// Copies of host memory on the device, for one call.
template <class Device>
class stage {
 public:
  using space = typename Device::space;
  explicit stage(Device& device) : device_(device) {}

  template <class T>
  view<T, 1, space> vector(view<T, 1> v) {
    return {upload(v.data(), 1, v.size(), v.size()), v.size()};
  }
  template <class T>
  view<T, 2, space> matrix(view<T, 2> v) {
    return {upload(v.data(), v.rows(), v.cols(), v.ld()), v.rows(), v.cols(), v.ld()};
  }
  index_view<space> indices(index_view<> v) {
    if (v.wide()) return vector(view<std::int64_t const, 1>(v.wide(), v.size()));
    if (v.narrow()) return vector(view<std::int32_t const, 1>(v.narrow(), v.size()));
    return {};
  }
  /// Copies back what may have been written, and checks what may not.
  void finish() {
    for (block& b : blocks_)
      device_.copy(view<std::byte, 1>(b.after.data(), size(b)), view<std::byte const, 1, space>(b.memory.vector()));
    device_.synchronize();
    for (block const& b : blocks_) {
      if (b.rows <= 0 || b.row_bytes <= 0) continue;
      for (index_t i = 0; i < b.rows; ++i) {
        index_t const begin = i * b.step, end = begin + b.row_bytes, next = i + 1 < b.rows ? begin + b.step : size(b);
        if (b.output)
          std::memcpy(b.output + begin, b.after.data() + begin, static_cast<std::size_t>(b.row_bytes));
        else if (!same(b, begin, end))
          throw std::logic_error("an input was modified on the device");
        if (!same(b, end, next)) throw std::logic_error("memory between the rows of a view was written on the device");
      }
    }
  }

 private:
  using device_memory = decltype(std::declval<Device&>().template allocate<std::byte>(0));
  struct block {
    device_memory memory;
    std::byte* output;  // null for an input
    index_t rows, row_bytes, step;
    std::vector<std::byte> before, after;
  };
  static index_t size(block const& b) { return static_cast<index_t>(b.before.size()); }
  static bool same(block const& b, index_t first, index_t last) {
    return last <= first ||
           std::memcmp(b.before.data() + first, b.after.data() + first, static_cast<std::size_t>(last - first)) == 0;
  }

  template <class T>
  T* upload(T* data, index_t rows, index_t cols, index_t ld) {
    if (!data) return nullptr;
    index_t const element = static_cast<index_t>(sizeof(T)), step = (ld < cols ? cols : ld) * element;
    index_t const bytes = rows <= 0 || cols <= 0 ? 0 : (rows - 1) * step + cols * element;
    std::byte* output = nullptr;
    if constexpr (!std::is_const_v<T>) output = reinterpret_cast<std::byte*>(data);
    auto const* first = reinterpret_cast<std::byte const*>(data);
    blocks_.push_back({device_.template allocate<std::byte>(bytes), output, bytes ? rows : 0, cols * element, step, {}, {}});
    block& b = blocks_.back();
    b.before.assign(first, first + bytes);
    b.after.resize(b.before.size());
    device_.copy(b.memory.vector(), view<std::byte const, 1>(b.before.data(), bytes));
    return reinterpret_cast<T*>(b.memory.data());
  }

  Device& device_;
  std::deque<block> blocks_;
};

template <class A, class S>
struct in_space {
  using type = A;
};
template <template <class, class> class A, class T, class S>
struct in_space<A<T, host_space>, S> {
  using type = A<T, S>;
};
template <template <class> class A, class S>
struct in_space<A<host_space>, S> {
  using type = A<S>;
};

/// The host backend in front of a device.
template <class Device>
class staged : public reference_backend {
 public:
  static constexpr char const* name() { return Device::name(); }
  /// Why it cannot run here; null if it can.
  static char const* missing() { return Device::devices() > 0 ? nullptr : "no CUDA device"; }
  Device& device() { return device_; }
  /// Holds the copies, so that the counters below are those of the operations alone.
  Device& storage() { return storage_; }

  std::size_t allocations() const { return device_.allocations(); }
  std::size_t scratch_peak() const { return device_.scratch_peak(); }
  void reset_scratch_peak() { device_.reset_scratch_peak(); }
  nan_watch open_watch(watched_operation const& operation) { return device_.open_watch(operation); }
  void close_watch(nan_watch w) {
    device_.close_watch(w);
    device_.synchronize();
  }
  void drop_watch(nan_watch w) noexcept { device_.drop_watch(w); }
  void synchronize() { device_.synchronize(); }

 private:
  Device device_, storage_;
};

/// `to` becomes `from` with every view in it staged.
template <class Device, class To, class From>
void put_on_stage(stage<Device>& s, To& to, From const& from) {
  if constexpr (std::is_same_v<To, From>) {
    to = from;
  } else if constexpr (requires { from.wide(); }) {
    to = s.indices(from);
  } else if constexpr (requires { From::rank; }) {
    if constexpr (From::rank == 1)
      to = s.vector(from);
    else
      to = s.matrix(from);
  } else {
    auto source = fields(from);
    auto target = fields(to);
    [&]<std::size_t... I>(std::index_sequence<I...>) { (put_on_stage(s, std::get<I>(target), std::get<I>(source)), ...); }
    (std::make_index_sequence<std::tuple_size_v<decltype(source)>>{});
  }
}

template <class Op, class Device, class Args, class... Options>
void override_for(Op, staged<Device>& be, Args const& args, Options const&... options) {
  stage<Device> s(be.storage());
  typename in_space<Args, typename Device::space>::type there{};
  put_on_stage(s, there, args);
  detail::run<Op>(be.device(), there, options...);
  s.finish();
  be.device().synchronize();
}

/// The views of a batch of products describe the first matrix only: all of them travel as one row.
template <class Device, class T>
void override_for(op::batched_gemm, staged<Device>& be, detail::batched_gemm_args<T, host_space> const& a) {
  stage<Device> s(be.storage());
  auto const as_row = []<class E>(E* data, index_t n) { return view<E, 1>(data, n); };
  auto const all = [&](auto const& m, index_t stride) {
    index_t const one = m.rows() > 0 && m.cols() > 0 ? (m.rows() - 1) * m.ld() + m.cols() : 0;
    return s.vector(as_row(m.data(), a.count > 0 ? (a.count - 1) * stride + one : 0)).data();
  };
  using S = typename Device::space;
  detail::run<op::batched_gemm>(be.device(),
                                detail::batched_gemm_args<T, S>{a.count,
                                                                a.ta,
                                                                a.tb,
                                                                a.alpha,
                                                                {all(a.a, a.stride_a), a.a.rows(), a.a.cols(), a.a.ld()},
                                                                a.stride_a,
                                                                {all(a.b, a.stride_b), a.b.rows(), a.b.cols(), a.b.ld()},
                                                                a.stride_b,
                                                                a.beta,
                                                                {all(a.c, a.stride_c), a.c.rows(), a.c.cols(), a.c.ld()},
                                                                a.stride_c});
  s.finish();
  be.device().synchronize();
}

}  // namespace causaldpo::test

namespace causaldpo {
template <class Op, class Device>
inline constexpr bool overrides<Op, test::staged<Device>> = true;
}
