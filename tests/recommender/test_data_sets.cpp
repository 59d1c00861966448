// SPDX-License-Identifier: Apache-2.0
// Counts of the real data sets, against their published statistics. Needs CAUSALDPO_DATA_UNPACKED, a folder with one sub-folder per set; with
// CAUSALDPO_DATA set a missing set is a failure, otherwise it is skipped.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include "data/interaction_log.hpp"
#include "data/split.hpp"
#include "data/test_set.hpp"

using namespace recommender;

namespace {

struct expected_counts {
  const char* path;
  std::size_t users, items, interactions;
  bool has_time, has_rating, has_titles;
};

}  // namespace

TEST_CASE("data sets: users, items and interactions are those of the published tables") {
  const char* const unpacked = std::getenv("CAUSALDPO_DATA_UNPACKED");
  const bool required = std::getenv("CAUSALDPO_DATA") != nullptr;
  if (unpacked == nullptr) {
    if (required) FAIL("CAUSALDPO_DATA is set, but CAUSALDPO_DATA_UNPACKED is not");
    MESSAGE("skipped: CAUSALDPO_DATA_UNPACKED is not set");
    return;
  }
  for (const expected_counts& set : {expected_counts{"ml-1m", 6040, 3706, 1000209, true, true, true},
                                     expected_counts{"ml-100k", 943, 1682, 100000, true, true, true},
                                     expected_counts{"movietweetings-100k", 16554, 10506, 100000, true, true, true},
                                     expected_counts{"amazon-musical-instruments", 1429, 900, 10261, true, true, false},
                                     expected_counts{"kuairec-random/random.txt", 1411, 2519, 117113, false, true, false},
                                     expected_counts{"coat", 290, 300, 6960, false, true, false},
                                     expected_counts{"coat/test.ascii", 290, 300, 4640, false, true, false},
                                     expected_counts{"yelp2018-ood", 8093, 13879, 238514, false, false, false},
                                     expected_counts{"irbench-amazon-electronic/popularity", 13455, 8360, 187616, false, false, false}}) {
    const std::filesystem::path path = std::filesystem::path(unpacked) / set.path;
    CAPTURE(path.string());
    if (!std::filesystem::exists(path)) {
      if (required) FAIL_CHECK("is missing");
      continue;
    }
    const interaction_log log = read_log(path);
    CHECK(log.users() == set.users);
    CHECK(log.items() == set.items);
    CHECK(log.interactions.size() == set.interactions);
    CHECK(log.has_time == set.has_time);
    CHECK(log.has_rating == set.has_rating);
    CHECK(log.item_titles.empty() != set.has_titles);
    CHECK(log.malformed == 0);
    CHECK(log.duplicates == 0);
  }
}

TEST_CASE("data sets: rating histograms, titles and times of MovieLens") {
  const char* const unpacked = std::getenv("CAUSALDPO_DATA_UNPACKED");
  const std::filesystem::path path = std::filesystem::path(unpacked == nullptr ? "" : unpacked) / "ml-1m";
  if (unpacked == nullptr || !std::filesystem::exists(path)) return;  // reported by the case above
  const interaction_log log = read_log(path);
  std::map<int, std::size_t> histogram;
  double first = 1e18, last = 0;
  for (const interaction& x : log.interactions) {
    ++histogram[static_cast<int>(x.rating)];
    first = std::min(first, x.timestamp);
    last = std::max(last, x.timestamp);
  }
  CHECK(histogram == std::map<int, std::size_t>{{1, 56174}, {2, 107557}, {3, 261197}, {4, 348971}, {5, 226310}});
  CHECK(first >= 956620800.0);   // 2000-04-25
  CHECK(last < 1046476800.0);    // 2003-03-01
  bool accented = false;
  for (const std::string& title : log.item_titles) {
    CHECK_FALSE(title.empty());
    accented = accented || title.find("\xC3\xA9") != std::string::npos;
  }
  CHECK(accented);
}

TEST_CASE("data sets: the shipped test files are found in the ids of their training logs") {
  const char* const unpacked = std::getenv("CAUSALDPO_DATA_UNPACKED");
  const std::filesystem::path root = unpacked == nullptr ? "" : unpacked;
  if (unpacked == nullptr) return;  // reported by the first case
  if (std::filesystem::exists(root / "yelp2018-ood")) {
    const interaction_log log = read_log(root / "yelp2018-ood");
    const test_set ood = read_test(root / "yelp2018-ood" / "test.txt", log);
    CHECK(ood.interactions + ood.unknown_user + ood.unknown_item == 16346);
    CHECK(ood.already_taken == 0);
    CHECK(ood.interactions > 16000);
    CHECK(read_test(root / "yelp2018-ood" / "test_iid.txt", log).already_taken == 0);
  }
  if (std::filesystem::exists(root / "coat")) {
    read_options positive;
    positive.min_rating = 3;
    const interaction_log log = read_log(root / "coat", positive);
    CHECK(log.interactions.size() == 1717 + 1275 + 630);
    CHECK(log.users() == 290);
    CHECK(log.items() == 300);
    const test_set random = read_test(root / "coat" / "test.ascii", log, positive);
    CHECK(random.interactions + random.already_taken == 1002 + 641 + 219);
    const split parts = leave_last_out(log, {1, false});
    CHECK(parts.test == std::vector<std::int32_t>(290, -1));
  }
}
