#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# The program on one real data set from end to end: train, evaluate, recommend; better than chance, and in time.
# usage: real_data.py RECOMMENDER NAME; CAUSALDPO_DATA_UNPACKED is the folder that holds the unpacked sets.
import os
import sys
import tempfile
from pathlib import Path

from common import check, evaluate, finish, run

# The full recipe, but for one set on which fewer epochs do to see that all works.
# name -> (log, arguments that say how to read it, further arguments of train, seconds that training may take)
SETS = {
    "ml-1m": ("ml-1m", [], [], 20 * 60),
    "ml-100k": ("ml-100k", [], [], 600),
    "movietweetings-100k": ("movietweetings-100k", ["--min-rating", "6"], ["--sft-epochs", "4"], 1200),
    "amazon-musical-instruments": ("amazon-musical-instruments", [], [], 600),
    "coat": ("coat", ["--min-rating", "3"], [], 600),
    "yelp2018-ood": ("yelp2018-ood/train.txt", [], ["--test", "yelp2018-ood/test.txt"], 1200),
}


def main():
    program, name = sys.argv[1], sys.argv[2]
    root = os.environ.get("CAUSALDPO_DATA_UNPACKED")
    if not root:
        print(f"skip {name}: CAUSALDPO_DATA_UNPACKED is not set")
        print("0 passed, 0 failed, 1 skipped")
        sys.exit(77)
    path, reading, training, limit = SETS[name]
    data = Path(root) / path
    training = [Path(root) / a if a.endswith(".txt") else a for a in training]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        model = folder / "model"
        out, _, seconds = run(program, "train", "--data", data, *reading, *training, "--method", "causaldpo", "--output", model, "--quiet")
        print(out)
        check(seconds <= limit, f"{name}: the three stages took {seconds:.0f} s, at most {limit}")
        served = {}
        for serve in ["uniform", "today", "removed"]:
            served[serve] = evaluate(program, model, data, folder, *reading, "--serve", serve)["held_out"]
            r = served[serve]
            print(f"{name}, serve {serve}: HR@10 {r['hr@10']:.4f} NDCG@10 {r['ndcg@10']:.4f} MRR {r['mrr']:.4f}, worst {r['worst_environment']['ndcg@10']:.4f}")
        items = len((model / "items.tsv").read_text().splitlines())
        chance = 10 / items
        # yelp's test holds tail items only: there the policy without exposure is the one to judge.
        best = max(served[s]["hr@10"] for s in ["today", "uniform"])
        check(best > 1.5 * chance, f"{name}: HR@10 {best:.4f} is above chance, {chance:.4f}")
        if name == "yelp2018-ood":  # a test without popular items: the more exposure is removed, the better
            check(served["today"]["hr@10"] < served["uniform"]["hr@10"] < served["removed"]["hr@10"],
                  f"{name}: HR@10 rises from today ({served['today']['hr@10']:.4f}) to uniform to removed ({served['removed']['hr@10']:.4f})")
        user = (model / "users.tsv").read_text().splitlines()[0]
        out, _, _ = run(program, "recommend", "--model", model, "--data", data, *reading, "--user", user, "--top", "5", "--serve", "today")
        print(out)
        check(len(out.splitlines()) == 6, f"{name}: five recommendations for user {user}")
        titled = name in ("ml-1m", "ml-100k", "movietweetings-100k")
        check(not titled or any(c.isalpha() for c in out.splitlines()[1][30:]), f"{name}: titles where the data have them")
        _, err, _ = run(program, "recommend", "--model", model, "--data", data, *reading, "--user", "nobody-of-this-name", expect_failure=True)
        check("nobody-of-this-name is not in" in err, f"{name}: an unknown user is told so")
    finish()


main()
