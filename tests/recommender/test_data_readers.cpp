// SPDX-License-Identifier: Apache-2.0
// Tests of the log readers on small files: every format.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "data/interaction_log.hpp"
#include "test_data_folder.hpp"
#include "test_data_reading.hpp"

using namespace recommender;
using namespace recommender_test;

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
