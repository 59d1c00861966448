// SPDX-License-Identifier: Apache-2.0
// The options that say how a log is read, and the report of what was read.
#include <iostream>

#include "app/commands.hpp"

namespace recommender {

void add_log_options(CLI::App& app, log_options& options) {
  app.add_option("--data", options.path, "the interaction log: a file, or a folder in which one is recognised")->required();
  app.add_option("--columns", options.columns, "which column is what: user=..,item=..[,rating=..][,timestamp=..], by name or number from 1");
  app.add_option("--min-rating", options.min_rating, "use only interactions with at least this rating");
  app.add_flag("--strict", options.strict, "a malformed line is fatal, and nothing is written");
}

interaction_log read_and_report(log_options const& options) {
  std::size_t shown = 0;
  constexpr std::size_t most_shown = 20;
  read_options how;
  how.strict = options.strict;
  how.min_rating = options.min_rating;
  how.columns = options.columns;
  how.on_problem = [&](std::string const& problem) {
    if (shown++ < most_shown) std::cerr << problem << '\n';
  };
  interaction_log log = read_log(options.path, how);
  if (shown > most_shown) std::cerr << "... and " << shown - most_shown << " more malformed lines\n";
  std::cerr << log.source << ": " << log.interactions.size() << " interactions of " << log.users() << " users with " << log.items() << " items ("
            << log.format << ')';
  if (log.malformed) std::cerr << ", " << log.malformed << " malformed lines left out";
  if (log.duplicates) std::cerr << ", " << log.duplicates << " repeated pairs left out";
  if (log.below_min_rating) std::cerr << ", " << log.below_min_rating << " below the minimum rating";
  std::cerr << '\n';
  for (std::string const& warning : log.warnings) std::cerr << "warning: " << warning << '\n';
  return log;
}

}  // namespace recommender
