// SPDX-License-Identifier: Apache-2.0
// Includes Eigen with its own threads off: the backend splits the work, Eigen computes the parts. Include this (or
// define EIGEN_DONT_PARALLELIZE) before any header of Eigen.
#pragma once

#ifndef EIGEN_DONT_PARALLELIZE
#define EIGEN_DONT_PARALLELIZE
#endif

// gcc 12's own AVX-512 header makes an undefined register by `__m512 y = y` and then warns of it wherever Eigen's
// products are inlined (gcc bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <Eigen/Core>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
