// SPDX-License-Identifier: Apache-2.0
// The backend for statistics of a log: counts of exposure and mixtures on covariates. Their data come from a file and their
// results go into a file, a pass each, so they stay on the host whatever the model is trained on; and every backend then trains
// with the same environments to the last bit, where rounding might have tipped a choice between two divisions.
#pragma once

#include <type_traits>

#include "causaldpo/backends/reference.hpp"
#include "causaldpo/default_backend.hpp"

namespace recommender {

/// The build's default backend where it works in the host's memory, else the reference.
using host_backend = std::conditional_t<std::is_same_v<causaldpo::default_backend::space, causaldpo::host_space>,
                                        causaldpo::default_backend, causaldpo::reference_backend>;

}  // namespace recommender
