// SPDX-License-Identifier: Apache-2.0
// The exception of everything that is written to or read from disk by the recommender itself.
#pragma once

#include <stdexcept>

namespace recommender {

/// A file or folder that cannot be written, or is damaged or foreign. The message names it and says what is wrong.
struct store_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace recommender
