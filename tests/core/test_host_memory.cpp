// SPDX-License-Identifier: Apache-2.0
// Scratch of the host backends: reuse, counters, alignment; and the memory of the NaN watch.
#include <doctest/doctest.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "causaldpo/detail/host_memory.hpp"

namespace causaldpo::test {

TEST_CASE("host_memory: a block that was released is handed out again") {
  detail::host_memory memory;
  CHECK(memory.allocations() == 0);
  void* first = nullptr;
  {
    auto const a = memory.allocate<double>(100);
    first = a.data();
    CHECK(a.size() == 100);
    CHECK(reinterpret_cast<std::uintptr_t>(a.data()) % 64 == 0);
    auto const b = memory.allocate<float>(3);
    CHECK(static_cast<void*>(b.data()) != first);
    CHECK(memory.allocations() == 2);
  }
  auto const c = memory.allocate<double>(90);
  CHECK(static_cast<void*>(c.data()) == first);
  CHECK(memory.allocations() == 2);
  auto const d = memory.allocate<double>(101);
  CHECK(static_cast<void*>(d.data()) != first);
  CHECK(memory.allocations() == 3);
}

TEST_CASE("host_memory: the smallest block that is large enough serves") {
  detail::host_memory memory;
  void* small = nullptr;
  {
    auto const large = memory.allocate<char>(4096);
    auto const little = memory.allocate<char>(128);
    small = little.data();
  }
  auto const again = memory.allocate<char>(100);
  CHECK(static_cast<void*>(again.data()) == small);
}

TEST_CASE("host_memory: the peak counts what is in use at one time") {
  detail::host_memory memory;
  {
    auto const a = memory.allocate<char>(1024);
    { auto const b = memory.allocate<char>(2048); }
    auto const c = memory.allocate<char>(64);
  }
  CHECK(memory.scratch_peak() == 1024 + 2048);
  memory.reset_scratch_peak();
  CHECK(memory.scratch_peak() == 0);
  auto a = memory.allocate<char>(64);
  CHECK(memory.scratch_peak() == 1024);  // the block that serves, not the request
  auto const moved = std::move(a);
  CHECK(moved.data() != nullptr);
  memory.reset_scratch_peak();
  CHECK(memory.scratch_peak() == 1024);  // still in use, once
}

TEST_CASE("host_memory: nothing asked for is a block too, and shapes are views of it") {
  detail::host_memory memory;
  auto const none = memory.allocate<double>(0);
  CHECK(none.data() != nullptr);
  CHECK(none.vector().size() == 0);
  auto const block = memory.allocate<int>(12);
  block.matrix(3, 4)(2, 3) = 7;
  CHECK(block.vector()(11) == 7);
}

}  // namespace causaldpo::test
