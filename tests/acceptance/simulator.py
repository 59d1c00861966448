#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# The figures that the method must reach on the simulator: NDCG@10 under uniform exposure as a ratio to dpo's (beta 1, same
# seed), mean over seeds 1 to 3, and the orders that must hold. In-distribution values are printed beside them.
# usage: simulator.py RECOMMENDER [--seeds 1,2,3]
import sys
import tempfile
from pathlib import Path

from common import check, evaluate, finish, run

MARGIN = 0.15  # levels differ by some percent from draw to draw
# variant -> row -> (ratio expected, arguments of train, arguments of evaluate)
ROWS = {
    "default": {
        "dpo, popularity removed afterwards": (1.60, None, ["--serve", "removed"]),
        "one environment, beta 1": (1.68, ["--environments", "1", "--beta", "1"], []),
        "one environment, beta 0.3": (1.81, ["--environments", "1", "--beta", "0.3"], []),
        "time and market, beta 0.3": (1.89, ["--covariates", "time,market", "--environments", "8", "--beta", "0.3"], []),
    },
    "strong": {
        "one environment, beta 0.3": (1.46, ["--environments", "1", "--beta", "0.3"], []),
        "eight time slices, beta 0.3": (1.89, ["--covariates", "time", "--environments", "8", "--beta", "0.3"], []),
    },
}


def one_seed(program, variant, seed, folder):
    """row -> (uniform, in distribution, in distribution when today's exposure is put back); dpo's row is called dpo."""
    log, data = folder / "log", folder / "log" / "hidden.csv"
    run(program, "simulate", "--variant", variant, "--seed", seed, "--output", log)
    shared = ["--data", data, "--seed", seed, "--quiet"]
    run(program, "train", *shared, "--method", "sft", "--environments", "1", "--output", folder / "sft")

    def judged(model, arguments):
        exact = evaluate(program, model, data, folder, "--tests", log, *arguments)["exact"]
        return exact["uniform"]["ndcg@10"], exact["id"]["ndcg@10"]

    run(program, "train", *shared, "--method", "dpo", "--environments", "1", "--start", folder / "sft", "--output", folder / "dpo")
    results = {"dpo": (*judged(folder / "dpo", []), None)}
    for row, (_, training, serving) in ROWS[variant].items():
        if training is None:
            results[row] = (*judged(folder / "dpo", serving), None)
            continue
        model = folder / row.replace(" ", "_").replace(",", "")
        run(program, "train", *shared, "--method", "causaldpo", "--start", folder / "sft", *training, "--output", model)
        results[row] = (*judged(model, serving), judged(model, ["--serve", "today"])[1])
    return results


def main():
    program = sys.argv[1]
    seeds = sys.argv[sys.argv.index("--seeds") + 1].split(",") if "--seeds" in sys.argv else ["1", "2", "3"]
    for variant, rows in ROWS.items():
        per_seed = []
        for seed in seeds:
            with tempfile.TemporaryDirectory() as folder:
                per_seed.append(one_seed(program, variant, seed, Path(folder)))
        mean = lambda values: sum(values) / len(values)
        ratios = {}
        base = mean([r["dpo"][0] for r in per_seed]), mean([r["dpo"][1] for r in per_seed])
        print(f"{variant}: dpo NDCG@10 uniform {base[0]:.4f}, in distribution {base[1]:.4f}")
        for row, (expected, _, _) in rows.items():
            each = [r[row][0] / r["dpo"][0] for r in per_seed]
            ratios[row] = mean(each)
            cost = mean([r[row][1] / r["dpo"][1] for r in per_seed]) - 1
            back = "" if per_seed[0][row][2] is None else f", {mean([r[row][2] / r['dpo'][1] for r in per_seed]) - 1:+.0%} when today's exposure is put back"
            text = (f"{variant}, {row}: {ratios[row]:.2f} x dpo ({', '.join(f'{x:.2f}' for x in each)}), expected {expected:.2f}; "
                    f"in distribution {cost:+.0%}{back}")
            check(abs(ratios[row] - expected) <= MARGIN, text)
        if variant == "default":
            check(ratios["time and market, beta 0.3"] > ratios["one environment, beta 0.3"] > ratios["dpo, popularity removed afterwards"] > 1,
                  "default: time and market above one environment above removal above dpo")
        else:
            check(ratios["eight time slices, beta 0.3"] > ratios["one environment, beta 0.3"] > 1, "strong: time slices above one environment above dpo")
    finish()


main()
