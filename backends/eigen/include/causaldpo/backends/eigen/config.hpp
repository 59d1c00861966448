// SPDX-License-Identifier: Apache-2.0
// Includes Eigen with its own threads off: the backend splits the work, Eigen computes the parts. Include this (or
// define EIGEN_DONT_PARALLELIZE) before any header of Eigen.
#pragma once

#include "causaldpo/backends/host/intrinsics.hpp"

#ifndef EIGEN_DONT_PARALLELIZE
#define EIGEN_DONT_PARALLELIZE
#endif

#include <Eigen/Core>
