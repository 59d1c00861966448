#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# What the program says when something is wrong, and what it leaves behind: nothing half written.
# usage: commands.py RECOMMENDER
import filecmp
import sys
import tempfile
from pathlib import Path

from common import backends_of, check, evaluate, finish, run


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "log.csv"
        rows = [f"u{u},i{(u * 7 + k * k) % 23},{1000000 + 86400 * k + u}" for u in range(40) for k in range(8)]
        log.write_text("user,item,timestamp\n" + "\n".join(rows) + "\n")
        small = ["--dim", "8", "--feed-forward", "16", "--sft-epochs", "2", "--epochs", "1", "--quiet"]
        train = ["train", "--data", log, *small, "--output"]

        out, _, _ = run(program, *train, folder / "model", "--seed", "3", "--threads", "1")
        check("environment" in out, "train says which environments and why")
        run(program, *train, folder / "again", "--seed", "3", "--threads", "1")
        check(filecmp.cmp(folder / "model/model.safetensors", folder / "again/model.safetensors", False), "the same seed and threads give the same bytes")
        run(program, *train, folder / "other", "--seed", "4", "--threads", "1")
        check(not filecmp.cmp(folder / "model/model.safetensors", folder / "other/model.safetensors", False), "another seed gives another model")
        run(program, *train, folder / "dpo", "--seed", "3", "--threads", "1", "--method", "dpo")
        run(program, *train, folder / "zero", "--seed", "3", "--threads", "1", "--strength", "0")
        check(filecmp.cmp(folder / "dpo/model.safetensors", folder / "zero/model.safetensors", False), "strength 0 is dpo to the bit")

        run(program, *train, folder / "sdpo", "--method", "sdpo", "--rejected", "3", "--negatives", "popularity")
        report = evaluate(program, folder / "sdpo", log, folder)
        check(report["method"] == "sdpo" and report["held_out"]["cases"] == 40, "sdpo with popular negatives trains and is judged")

        test = folder / "test.csv"
        test.write_text("user,item,timestamp\n" + "".join(f"u{u},i22,{1000000 + 86400 * (20 + u)}\n" for u in range(1, 6)))
        late = evaluate(program, folder / "model", log, folder, "--test", test)["held_out"]
        taken = sum(1 for u in range(1, 6) if any(r.startswith(f"u{u},i22,") for r in rows))
        check(late["cases"] == 5 - taken and sum(1 for part in late["time"] if part["cases"]) > 1,
              "a test file is judged at its own times, without what was taken before")

        report = evaluate(program, folder / "model", log, folder)["held_out"]
        check(report["cases"] == 40, "evaluate judges one held-out interaction of each user")
        out, _, _ = run(program, "recommend", "--model", folder / "model", "--data", log, "--user", "u3", "--top", "4")
        seen = {r.split(",")[1] for r in rows if r.startswith("u3,")}
        listed = [line.split()[1] for line in out.splitlines()[1:]]
        check(len(listed) == 4 and not seen & set(listed), "recommend leaves out what the user has seen")

        stored, _, _ = run(program, "recommend", "--model", folder / "model", "--user", "u3", "--top", "4")
        check(stored == out, "without --data the history is that of the training log")

        names, _ = backends_of(program)

        def refused(message, *arguments):
            _, err, _ = run(program, *arguments, expect_failure=True)
            check(message in err, f"{' '.join(map(str, arguments[:2]))} ...: {message!r} is said" + ("" if message in err else f", but was {err!r}"))

        recommend = ["recommend", "--model", folder / "model", "--data"]
        refused("user nobody is not in", *recommend, log, "--user", "nobody")
        unknown = folder / "unknown.csv"
        unknown.write_text("user,item,timestamp\nnew,never-seen,5\nu1,i1,6\n")
        refused("is not in the log that the model was trained on", "recommend", "--model", folder / "model", "--user", "nobody")
        refused("has no history", *recommend, unknown, "--user", "new")
        run(program, *recommend, unknown, "--user", "u1")
        _, err, _ = run(program, "evaluate", "--model", folder / "model", "--data", unknown)
        check("never trained on" in err, "items that were never trained on are named as such")
        empty = folder / "empty.csv"
        empty.write_text("user,item,timestamp\n")
        refused("empty.csv", "train", "--data", empty, "--output", folder / "none")
        broken = folder / "broken.csv"
        broken.write_text(log.read_text() + "u1,i2,yesterday\n")
        _, err, _ = run(program, "train", "--data", broken, *small, "--output", folder / "lenient")
        check("broken.csv:322" in err and "1 malformed" in err, "a malformed line is reported with file and number, and counted")
        refused("broken.csv:322", "train", "--data", broken, "--strict", *small, "--output", folder / "strict")
        check(not (folder / "strict").exists(), "--strict writes nothing")
        refused("has no covariate market", "train", "--data", log, "--covariates", "market", *small, "--output", folder / "none")
        refused("--environments is many", "train", "--data", log, "--environments", "many", *small, "--output", folder / "none")
        refused("needs --counts", *recommend, log, "--user", "u1", "--serve", "forecast")
        refused("kappa 0", *recommend, log, "--user", "u1", "--serve", "uniform", "--kappa", "0.5")
        run(program, *recommend, log, "--user", "u1", "--serve", "forecast", "--counts", log)
        weights = folder / "again/model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1] + b"x")
        refused("checksum", "evaluate", "--model", folder / "again", "--data", log)
        refused("--backend is abacus and must be one of those in this build: " + ", ".join(names), *train, folder / "none", "--backend", "abacus")
        refused("must be 0 or 1 with the reference backend", *train, folder / "none", "--backend", "reference", "--threads", "2")
        check(not (folder / "none").exists(), "a run that is refused writes nothing")
        refused("--method", "train", "--data", log, *small, "--method", "magic", "--output", folder / "none")
        mine = folder / "mine"
        mine.mkdir()
        (mine / "letter.txt").write_text("keep me")
        refused("mine", *train, mine)
        check((mine / "letter.txt").read_text() == "keep me" and not list(folder.glob(".*partial*")), "a folder that is no model is left alone, and nothing is left behind")
    finish()


main()
