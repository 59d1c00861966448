// SPDX-License-Identifier: Apache-2.0
// Includes xsimd, after the processor's intrinsics, and the products of xtensor-blas, set to call a BLAS. Include this before
// a header that includes them otherwise.
#pragma once

// The order matters; cxxblas uses <complex> and does not include it.
// clang-format off
#include "causaldpo/backends/host/intrinsics.hpp"
#include <xsimd/xsimd.hpp>
#include <complex>
#include <xtensor-blas/xblas_config.hpp>
#include <xflens/cxxblas/cxxblas.cxx>
// clang-format on

#ifndef HAVE_CBLAS
#error "causaldpo: the xtensor backend multiplies by OpenBLAS; do not define XTENSOR_USE_FLENS_BLAS"
#endif
