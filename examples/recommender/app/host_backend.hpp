// SPDX-License-Identifier: Apache-2.0
// The backend for statistics of a log: counts of exposure and mixtures on covariates. Their data come from a file and their
// results go into a file, a pass each, so they stay on the host whatever the model is trained on; and every backend then trains
// with the same environments to the last bit, where rounding might have tipped a choice between two divisions.
#pragma once

#include "causaldpo/default_backend.hpp"

namespace recommender {

/// The build's default backend, which is always one that works in the host's memory.
using host_backend = causaldpo::default_backend;
static_assert(host_backend::space::host_accessible);

}  // namespace recommender
