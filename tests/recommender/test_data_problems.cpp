// SPDX-License-Identifier: Apache-2.0
// Tests of what the readers report, drop, convert and refuse.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "data/interaction_log.hpp"
#include "data/text.hpp"
#include "test_data_folder.hpp"
#include "test_data_reading.hpp"

using namespace recommender;
using namespace recommender_test;

TEST_CASE("data: malformed lines are reported with file and number, counted and skipped; strict throws") {
  const scratch_folder dir;
  const auto file = dir.write("log.csv",
                              "user,item,rating,timestamp\n"
                              "u,i,5,10\n"
                              "u,j\n"
                              "u,j,five,10\n"
                              "\n"
                              "u,j,5,-1\n"
                              "u,j,-5,1\n"
                              "u,j,5,1e300\n"
                              "u,j,nan,1\n"
                              "u,j,inf,1\n"
                              "u,j,5,0x10\n"
                              ",j,5,10\n"
                              "u,,5,10\n"
                              "u,\"j,5,10\n"
                              "u,\"j\"k,5,10\n"
                              "u,j,5,99999999999999999999999999\n"
                              "u,j,5,\n"
                              "u,k,4,20");
  const strings expected{"log.csv:3: 2 field(s)", ":4: rating 'five' is not a number", ":6: timestamp '-1' is negative", ":7: rating '-5' is negative",
                         ":8: timestamp '1e300' is too large", ":9: rating 'nan' is not", ":10: rating 'inf' is not", ":11: timestamp '0x10' is not",
                         ":12: the user is empty", ":13: the item is empty", ":14: a quoted field is not closed", ":15: text follows the closing quote",
                         ":16: timestamp '99999999999999999999999999' is too large", ":17: timestamp '' is not a number"};
  strings problems;
  read_options options;
  options.on_problem = [&](const std::string& what) { problems.push_back(what); };
  const interaction_log log = read_log(file, options);
  CHECK(rows(log) == strings{"u i 50 10", "u k 40 20"});
  CHECK(log.lines == 16);
  CHECK(log.malformed == expected.size());
  CHECK(any_contains(log.warnings, "14 of 16 lines are malformed"));
  REQUIRE(problems.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK_MESSAGE(contains(problems[i], expected[i]), problems[i]);

  options.strict = true;
  problems.clear();
  CHECK(contains(failure(file, options), "log.csv:3: 2 field(s)"));
  CHECK(problems.empty());
}

TEST_CASE("data: of repeated pairs the earliest stays, at its own place; covariates follow") {
  const scratch_folder dir;
  const auto file = dir.write("x.csv", "user,item,timestamp,m\nu,i,30,a\nv,i,5,b\nu,i,10,c\nu,i,10,d\nu,j,1,e\n");
  const interaction_log log = read_log(file);
  CHECK(rows(log) == strings{"v i 10 5", "u i 10 10", "u j 10 1"});
  CHECK(log.duplicates == 2);
  CHECK(log.covariates.at("m").levels == strings{"b", "c", "e"});
  CHECK(log.covariates.at("m").code == std::vector<std::int32_t>{0, 1, 2});
  CHECK(any_contains(log.warnings, "2 rows repeat"));
  CHECK(rows(read_log(dir.write("y.csv", "u,i,4\nu,j,3\nu,i,5\n"))) == strings{"u i 40 0", "u j 30 0"});
}

TEST_CASE("data: the minimum rating drops rows before duplicates are looked for, and keeps the ids") {
  const scratch_folder dir;
  read_options options;
  options.min_rating = 4;
  const interaction_log log = read_log(dir.write("x.csv", "u,i,2,1\nu,i,4,2\nv,j,3,3\nw,i,5,4\n"), options);
  CHECK(rows(log) == strings{"u i 40 2", "w i 50 4"});
  CHECK(log.below_min_rating == 2);
  CHECK(log.duplicates == 0);
  CHECK(log.users() == 3);
  CHECK(log.items() == 2);
  options.min_rating = 6;
  CHECK(contains(failure(dir.path() / "x.csv", options), "all 4 ratings are below"));
}

TEST_CASE("data: timestamps in milliseconds are converted, with a warning") {
  const scratch_folder dir;
  const interaction_log log = read_log(dir.write("ms.csv", "user,item,timestamp\na,b,1365029107000\na,c,1365029108500\na,d,7000\n"));
  CHECK(log.interactions[0].timestamp == 1365029107.0);
  CHECK(log.interactions[1].timestamp == 1365029108.5);
  CHECK(log.interactions[2].timestamp == 7.0);
  CHECK(any_contains(log.warnings, "milliseconds"));
  const interaction_log seconds = read_log(dir.write("s.csv", "user,item,timestamp\na,b,1365029107\na,c,1365029108\na,d,1365029108500\n"));
  CHECK(seconds.interactions[2].timestamp == 1365029108500.0);
  CHECK(seconds.warnings.empty());
}

TEST_CASE("data: a log in Latin-1 is converted, with a warning") {
  const scratch_folder dir;
  const interaction_log log = read_log(dir.write("l.csv", "user,item\nJos\xE9,1\n"));
  CHECK(log.user_ids == strings{"Jos\xC3\xA9"});
  CHECK(any_contains(log.warnings, "Latin-1"));
}

TEST_CASE("data: what is no usable log says so") {
  const scratch_folder dir;
  CHECK(contains(failure(dir.path() / "none.csv"), "no such file"));
  CHECK(contains(failure(dir.write("empty.csv", "")), "is empty"));
  CHECK(contains(failure(dir.write("blank.csv", "\n \r\n\n")), "is empty"));
  CHECK(contains(failure(dir.write("head.csv", "user,item\n")), "has no interactions"));
  CHECK(contains(failure(dir.write("bad.csv", "user,item,rating\na,b,x\n")), "none of its 1 lines is usable; the first problem: "));
  CHECK(contains(failure(dir.write("zero.ascii", "0 0\n0 0\n")), "has no interactions"));
  CHECK(contains(failure(dir.write("bin.csv", std::string("a,b\0c\n", 6))), "no text file"));
  CHECK(contains(failure(dir.write("wide.csv", "\xFF\xFEu\0")), "UTF-16"));
  CHECK(contains(failure(dir.write("words.txt", "hello\nworld\n")), "columns cannot be told"));
  CHECK(contains(failure(dir.path()), "no log found in this folder"));
  const scratch_folder single;
  single.write("only.csv", "1,2\n");
  CHECK(read_log(single.path()).interactions.size() == 1);
}

TEST_CASE("data: well-formed UTF-8 and nothing else passes for UTF-8") {
  for (const char* good : {"", "plain", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"}) CHECK(is_utf8(good));
  for (const char* bad : {"\x80", "\xC3", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82", "a\xFF"}) CHECK_FALSE(is_utf8(bad));
  CHECK(latin1_to_utf8("caf\xE9 \xFF") == "caf\xC3\xA9 \xC3\xBF");
  CHECK(in_quotes("tab\there") == "'tab?here'");
  CHECK(in_quotes(std::string(39, 'x') + "\xC3\xA9") == "'" + std::string(39, 'x') + "...'");
}
