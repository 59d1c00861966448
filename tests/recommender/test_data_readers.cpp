// SPDX-License-Identifier: Apache-2.0
// Tests of the log readers on small files: every format, and what is wrong in each.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "data/interaction_log.hpp"
#include "data/text.hpp"
#include "test_data_folder.hpp"

using namespace recommender;
using recommender_test::scratch_folder;

namespace {

using strings = std::vector<std::string>;

/// "user item rating timestamp" of each interaction, ids as in the file.
strings rows(const interaction_log& log) {
  strings out;
  for (const interaction& x : log.interactions)
    out.push_back(log.user_ids[static_cast<std::size_t>(x.user)] + " " + log.item_ids[static_cast<std::size_t>(x.item)] + " " +
                  std::to_string(static_cast<int>(x.rating * 10)) + " " + std::to_string(static_cast<long>(x.timestamp)));
  return out;
}

/// The message of the data_error that reading throws, or "" when it throws none.
std::string failure(const std::filesystem::path& path, const read_options& options = {}) {
  try {
    read_log(path, options);
  } catch (const data_error& e) {
    return e.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

bool any_contains(const strings& texts, const std::string& part) {
  for (const std::string& text : texts)
    if (contains(text, part)) return true;
  return false;
}

}  // namespace

TEST_CASE("data: ratings.dat with titles, from the folder and from the file") {
  const scratch_folder dir;
  dir.write("ratings.dat", "1::1193::5::978300760\n1::661::3::978302109\n\n02::1193::4::978301968\n");
  dir.write("movies.dat", "661::James and the Giant Peach::Animation|Musical\n1193::Mission:: Impossible (1975)::Drama\n9::Unrated::War\n");
  for (const auto& path : {dir.path(), dir.path() / "ratings.dat"}) {
    const interaction_log log = read_log(path);
    CHECK(rows(log) == strings{"1 1193 50 978300760", "1 661 30 978302109", "02 1193 40 978301968"});
    CHECK(log.has_time);
    CHECK(log.has_rating);
    CHECK(log.item_titles == strings{"Mission:: Impossible (1975)", "James and the Giant Peach"});
    CHECK(log.item_genres == strings{"Drama", "Animation|Musical"});
    CHECK(log.lines == 3);
    CHECK(log.warnings.empty());
    CHECK(contains(log.source, "ratings.dat"));
    CHECK(contains(log.format, "double colons"));
  }
}

TEST_CASE("data: u.data with u.item in Latin-1, genres by u.genre") {
  const scratch_folder dir;
  dir.write("u.data", "196\t242\t3\t881250949\n186\t302\t3\t891717742\n");
  dir.write("u.item", "242|Mis\xE9rables, Les (1995)|d||u|0|1\n302|L.A. Confidential|d||u|1|1\n");
  dir.write("u.genre", "unknown|0\nDrama|1\n\n");
  const interaction_log log = read_log(dir.path());
  CHECK(rows(log) == strings{"196 242 30 881250949", "186 302 30 891717742"});
  CHECK(log.item_titles == strings{"Mis\xC3\xA9rables, Les (1995)", "L.A. Confidential"});
  CHECK(log.item_genres == strings{"Drama", "unknown|Drama"});
}

TEST_CASE("data: titles that are UTF-8 already stay as they are") {
  const scratch_folder dir;
  dir.write("ratings.dat", "1::2::3::4\n");
  dir.write("movies.dat", "2::Am\xC3\xA9lie (2001)::Comedy\n");
  CHECK(read_log(dir.path()).item_titles == strings{"Am\xC3\xA9lie (2001)"});
}

TEST_CASE("data: CSV with header, byte order mark, CRLF, quotes and covariates") {
  const scratch_folder dir;
  const auto file = dir.write("x.csv",
                              "\xEF\xBB\xBFtimestamp,\"User-ID\",itemId,market,hour,note\r\n"
                              "30, a ,\"b,1\",north,7,\r\n"
                              "10,a,\"say \"\"c\"\"\",south,8.5,x\r\n"
                              "20,d,e,north,-1,\"\"\r\n");
  const interaction_log log = read_log(file);
  CHECK(rows(log) == strings{"a b,1 10 30", "a say \"c\" 10 10", "d e 10 20"});
  CHECK(log.has_time);
  CHECK_FALSE(log.has_rating);
  REQUIRE(log.covariates.size() == 3);
  CHECK(log.covariates.at("market").levels == strings{"north", "south"});
  CHECK(log.covariates.at("market").code == std::vector<std::int32_t>{0, 1, 0});
  CHECK(log.covariates.at("market").numeric.empty());
  CHECK(log.covariates.at("hour").numeric == std::vector<double>{7, 8.5, -1});
  CHECK(log.covariates.at("note").levels == strings{"", "x"});

  read_options only;
  only.covariates = strings{"market"};
  CHECK(read_log(file, only).covariates.size() == 1);
  only.covariates = strings{"device"};
  CHECK(contains(failure(file, only), "no extra column 'device'"));
}

TEST_CASE("data: the columns can be said by name and by number") {
  const scratch_folder dir;
  const auto named = dir.write("a.csv", "when,who,what,how\n1,u,i,4\n2,v,j,5\n");
  read_options options;
  CHECK(contains(failure(named), "line"));  // read by position: no number where the rating should be
  options.columns = "user=who,item=what,rating=how,timestamp=when";
  CHECK(rows(read_log(named, options)) == strings{"u i 40 1", "v j 50 2"});
  options.columns = "user=who,item=where";
  CHECK(contains(failure(named, options), "no column 'where'; the first line has when, who, what, how"));

  const auto bare = dir.write("b.tsv", "5\ti\tx\ty\tz\tu\n6\tj\tx\ty\tz\tu\n");
  options.columns = "";
  CHECK(contains(failure(bare), "columns"));
  options.columns = "user=6, item=2, timestamp=1";
  CHECK(rows(read_log(bare, options)) == strings{"u i 10 5", "u j 10 6"});
  const auto headed = dir.write("c.csv", "title,item_id,user_id\nT,i,u\n");
  options.columns = "user=3,item=2";
  CHECK(rows(read_log(headed, options)) == strings{"u i 10 0"});
  for (const auto& [columns, complaint] : std::vector<std::pair<std::string, std::string>>{{"user=7,item=2", "6 fields"},
                                                                                           {"user=0,item=2", "6 fields"},
                                                                                           {"user=1", "item=.. is missing"},
                                                                                           {"user=1,item=1", "different"},
                                                                                           {"user=1,item=2,item=3", "twice"},
                                                                                           {"user=1,thing=2", "'thing=2'"},
                                                                                           {"user,item", "'user'"}}) {
    options.columns = columns;
    CHECK_MESSAGE(contains(failure(bare, options), complaint), columns, ": ", failure(bare, options));
  }
}

TEST_CASE("data: files without header are read by position") {
  const scratch_folder dir;
  CHECK(rows(read_log(dir.write("4.csv", "A,B,5.0,100\nC,B,4.5,90\n"))) == strings{"A B 50 100", "C B 45 90"});
  const interaction_log three = read_log(dir.write("3.txt", "14,10070,1.5\n14,25,1.5\n"));
  CHECK(rows(three) == strings{"14 10070 15 0", "14 25 15 0"});
  CHECK(three.has_rating);
  CHECK_FALSE(three.has_time);
  CHECK(rows(read_log(dir.write("2.csv", "1,2\n3,4\n"))) == strings{"1 2 10 0", "3 4 10 0"});
  CHECK(rows(read_log(dir.write("s.csv", "\"u\";\"i;1\";\"3\"\n\"v\";\"k\";\"4\"\n"))) == strings{"u i;1 30 0", "v k 40 0"});
  CHECK(rows(read_log(dir.write("h.tsv", "user_procid\titem_procid\n0\t2142\n"))) == strings{"0 2142 10 0"});
}

TEST_CASE("data: pair lines, with and without the third field") {
  const scratch_folder dir;
  dir.write("train.txt", "0 1631 1\n0  6177\t1\n 7 3\n");
  const interaction_log log = read_log(dir.path());
  CHECK(rows(log) == strings{"0 1631 10 0", "0 6177 10 0", "7 3 10 0"});
  CHECK_FALSE(log.has_rating);
  CHECK(read_log(dir.write("counts.txt", "0 1 3\n0 2 5\n")).has_rating);
  read_options options;
  options.min_rating = 3;
  CHECK(contains(failure(dir.path(), options), "no ratings"));

  // Damaged first lines do not change what the others are.
  const interaction_log damaged = read_log(dir.write("damaged.txt", "0\n0 1 1 1\n0 5 1\n1 5 1\n2 5 1\n"));
  CHECK(damaged.interactions.size() == 3);
  CHECK(damaged.malformed == 2);
}

TEST_CASE("data: rating matrices; a damaged row keeps its user") {
  const scratch_folder dir;
  dir.write("train.ascii", "0 5 0 0 1\n0 0 0\n0 0 x 0 0\n0 0 0 4 0\n");
  strings problems;
  read_options options;
  options.on_problem = [&](const std::string& what) { problems.push_back(what); };
  const interaction_log log = read_log(dir.path(), options);
  CHECK(rows(log) == strings{"1 2 50 0", "1 5 10 0", "4 4 40 0"});
  CHECK(log.users() == 4);
  CHECK(log.items() == 5);
  CHECK_FALSE(log.has_time);
  CHECK(log.malformed == 2);
  REQUIRE(problems.size() == 2);
  CHECK(contains(problems[0], "train.ascii:2: 3 ratings instead of 5"));
  CHECK(contains(problems[1], "train.ascii:3: rating 'x' of item 3"));
  CHECK(read_log(dir.write("wide.txt", "0 0 3 0 0 0\n1 0 0 0 0 0\n")).items() == 6);
  CHECK(read_log(dir.write("narrow.ascii", "0 1\n2 0\n")).users() == 2);
}

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
