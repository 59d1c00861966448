// SPDX-License-Identifier: Apache-2.0
// The processor's intrinsics, without a warning of gcc's own header. Include this before a library that uses them.
#pragma once

// gcc 12's AVX-512 header makes an undefined register by `__m512 y = y` and then warns of it wherever packs are
// inlined (gcc bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#if defined(__SSE2__)
#include <immintrin.h>
#endif
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
