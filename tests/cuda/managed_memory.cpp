// SPDX-License-Identifier: Apache-2.0
// All memory of this program is managed: host and device read the vectors of a test alike. Only for tests. Without a device it
// is the host's: what runs before main, the registration of tests, allocates too.
#include <cuda_runtime_api.h>

#include <cstdlib>
#include <new>

namespace {
bool have_device() {
  static bool const found = [] {
    int devices = 0;
    return cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0;
  }();
  return found;
}
void* take(std::size_t bytes) {
  void* data = have_device() ? nullptr : std::malloc(bytes > 0 ? bytes : 1);
  if (data != nullptr || cudaMallocManaged(&data, bytes > 0 ? bytes : 1, cudaMemAttachGlobal) == cudaSuccess) return data;
  std::abort();  // there is no memory to report it with
}
void give(void* data) noexcept {
  if (!have_device()) return std::free(data);
  if (data != nullptr) static_cast<void>(cudaFree(data));
}
}  // namespace

void* operator new(std::size_t bytes) { return take(bytes); }
void* operator new(std::size_t bytes, std::align_val_t) { return take(bytes); }  // aligned to 256 bytes in any case
void operator delete(void* data) noexcept { give(data); }
void operator delete(void* data, std::size_t) noexcept { give(data); }
void operator delete(void* data, std::align_val_t) noexcept { give(data); }
void operator delete(void* data, std::size_t, std::align_val_t) noexcept { give(data); }
