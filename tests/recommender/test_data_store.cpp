// SPDX-License-Identifier: Apache-2.0
// Tests of what is kept on disk (atomic writing, checksums, model folders), and of the progress line.
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <sstream>
#include <thread>

#include "store/atomic_write.hpp"
#include "store/checksums.hpp"
#include "store/model_folder.hpp"
#include "store/progress.hpp"
#include "store/sha256.hpp"
#include "test_data_folder.hpp"

using namespace recommender;
using recommender_test::bytes_of;
using recommender_test::scratch_folder;
namespace fs = std::filesystem;

namespace {

/// Names in a folder, hidden ones too.
std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

/// Runs `act` in a child process that then ends at once, without destructors, as if it were killed.
template <class Action> int in_killed_child(Action act) {
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 0;
    try {
      act();
    } catch (const store_error&) {
      code = 3;
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("store: SHA-256 of bytes and files") {
  const scratch_folder dir;
  CHECK(sha256_of_bytes("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_of_bytes("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const std::string large(3000000, 'x');
  CHECK(sha256_of_file(dir.write("large", large)) == sha256_of_bytes(large));
  CHECK_THROWS_AS(sha256_of_file(dir.path() / "none"), store_error);
}

TEST_CASE("store: a file is replaced whole, and a write that fails leaves the old one and nothing else") {
  const scratch_folder dir;
  const fs::path file = dir.path() / "sub" / "file.bin";
  write_file_atomically(file, "old");
  write_file_atomically(file, std::string(1 << 20, 'n'));
  CHECK(bytes_of(file).size() == 1 << 20);
  write_file_atomically(file, "old");

  const int code = in_killed_child([&] {  // the disk is full after 64 KiB
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1 << 16, 1 << 16};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    write_file_atomically(file, std::string(1 << 20, 'x'));
  });
  CHECK(code == 3);
  CHECK(bytes_of(file) == "old");
  CHECK(entries(file.parent_path()) == 1);
  CHECK_THROWS_AS(write_file_atomically(file.parent_path(), "x"), store_error);
  CHECK_THROWS_AS(write_file_atomically(file / "below", "x"), store_error);

  std::ofstream(file.parent_path() / ".file.bin.partial-1-0") << "left by a process that was killed";
  write_file_atomically(file, "new");
  CHECK(bytes_of(file) == "new");
  CHECK(entries(file.parent_path()) == 1);
}

TEST_CASE("store: a folder appears at its commit, with checksums, and replaces only its own kind") {
  const scratch_folder dir;
  const fs::path out = dir.path() / "a" / "out";
  {
    output_folder folder(out.string() + "/");
    folder.write("x.txt", "one");
    CHECK_FALSE(fs::exists(out));
  }
  CHECK(entries(out.parent_path()) == 0);
  {
    output_folder folder(out);
    folder.write("x.txt", "one");
    folder.write("y.txt", "two");
    folder.commit();
    CHECK_THROWS_AS(folder.commit(), store_error);
  }
  CHECK(entries(out.parent_path()) == 1);
  CHECK(entries(out) == 3);
  CHECK(bytes_of(out / checksum_file) == sha256_of_bytes("one") + "  x.txt\n" + sha256_of_bytes("two") + "  y.txt\n");
  {
    output_folder folder(out);
    folder.write("z.txt", "three");
    CHECK(fs::exists(out / "x.txt"));
    folder.commit();
  }
  CHECK(entries(out) == 2);
  CHECK(bytes_of(out / "z.txt") == "three");
  CHECK(entries(out.parent_path()) == 1);

  std::ofstream(out / "thesis.tex") << "precious";
  CHECK_THROWS_WITH_AS(output_folder{out}, doctest::Contains("holds 'thesis.tex'"), store_error);
  CHECK_THROWS_WITH_AS(output_folder{out / "z.txt"}, doctest::Contains("is no folder"), store_error);
  CHECK(bytes_of(out / "thesis.tex") == "precious");
}

TEST_CASE("store: what a killed process leaves does not touch the old folder and is cleaned up; a living one's is not") {
  const scratch_folder dir;
  const fs::path out = dir.path() / "out";
  {
    output_folder folder(out);
    folder.write("x.txt", "old");
    folder.commit();
  }
  CHECK(in_killed_child([&] {
          auto* folder = new output_folder(out);  // never destroyed
          folder->write("x.txt", "half");
        }) == 0);
  CHECK(bytes_of(out / "x.txt") == "old");
  CHECK(entries(dir.path()) == 2);
  output_folder first(out);
  CHECK(entries(dir.path()) == 2);
  output_folder second(out);
  CHECK(entries(dir.path()) == 3);
  first.write("x.txt", "new");
  first.commit();
  CHECK(bytes_of(out / "x.txt") == "new");
}

TEST_CASE("store: a model folder comes back, and is refused when anything in it changed") {
  const scratch_folder dir;
  const fs::path out = dir.path() / "model";
  model_folder model;
  model.options = {{"method", "dpo"}, {"beta", 0.1}};
  model.tensors["ids"] = make_tensor<std::int64_t>({3}, {-1, 0, 7});
  model.texts["items.txt"] = "a\nb\n";
  model.library_version = "0.1.0";
  save_model_folder(out, model);
  const model_folder back = load_model_folder(out);
  CHECK(back.options == model.options);
  CHECK(back.tensors.at("ids").data == model.tensors.at("ids").data);
  CHECK(back.texts == model.texts);
  CHECK(back.library_version == "0.1.0");

  for (const char* name : {"model.safetensors", "model.json", "items.txt"}) {
    const std::string good = bytes_of(out / name);
    std::string bad = good;
    bad[bad.size() / 2] = static_cast<char>(bad[bad.size() / 2] ^ 1);
    dir.write(std::string("model/") + name, bad);
    CHECK_THROWS_WITH_AS(load_model_folder(out), doctest::Contains("is damaged: its checksum"), store_error);
    fs::remove(out / name);
    CHECK_THROWS_AS(load_model_folder(out), store_error);
    dir.write(std::string("model/") + name, good);
  }
  CHECK(load_model_folder(out).texts.size() == 1);

  const auto with_description = [&](const std::string& text) {
    dir.write("model/model.json", text);
    write_checksums(out);
  };
  with_description(R"({"format":"causaldpo-recommender","format_version":99,"library_version":"9","options":{}})");
  CHECK_THROWS_WITH_AS(load_model_folder(out), doctest::Contains("has format version 99, this program reads version 1"), store_error);
  with_description(R"({"format":"other"})");
  CHECK_THROWS_WITH_AS(load_model_folder(out), doctest::Contains("does not describe a model"), store_error);
  with_description(R"({"format":"causaldpo-recommender","format_version":1})");
  CHECK_THROWS_WITH_AS(load_model_folder(out), doctest::Contains("lacks library_version"), store_error);
  dir.write("model/checksums.sha256", "no checksum\n");
  CHECK_THROWS_WITH_AS(load_model_folder(out), doctest::Contains("checksums.sha256:1:"), store_error);
  dir.write("model/checksums.sha256", "");
  CHECK_THROWS_WITH_AS(load_model_folder(out), doctest::Contains("does not list model.safetensors"), store_error);
  CHECK_THROWS_WITH_AS(load_model_folder(dir.path() / "none"), doctest::Contains("no such model folder"), store_error);
  CHECK_THROWS_WITH_AS(load_model_folder(dir.path()), doctest::Contains("is no model folder"), store_error);
  model.texts = {{"model.json", "x"}};
  CHECK_THROWS_AS(save_model_folder(dir.path() / "other", model), store_error);
  CHECK_FALSE(fs::exists(dir.path() / "other"));
}

TEST_CASE("store: the progress line") {
  CHECK(clock_text(7.4) == "0:07");
  CHECK(clock_text(754) == "12:34");
  CHECK(clock_text(3723) == "1:02:03");
  std::ostringstream terminal, file, quiet;
  {
    progress shown("train", 200, {false, &terminal, true}), logged("train", 200, {false, &file, false}), silent("train", 200, {true, &quiet, true});
    std::this_thread::sleep_for(std::chrono::milliseconds(120));
    for (progress* p : {&shown, &logged, &silent}) {
      p->update(100, "loss 0.5");
      p->update(101);
    }
    CHECK(terminal.str() == "\rtrain: 100/200 50 %, 0:00 elapsed, 0:00 left, loss 0.5");
    CHECK(file.str().empty());
    logged.finish("loss 0.4");
    silent.finish();
  }
  CHECK(terminal.str().back() == '\n');
  CHECK(file.str() == "train: done in 0:00, loss 0.4\n");
  CHECK(quiet.str().empty());
}
