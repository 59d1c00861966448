#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The point of the project in one table: simulates a log in which exposure and taste are mixed, trains sft, dpo and
# causaldpo on it, and judges each by exact tests in distribution, under uniform exposure and in a new environment.
# usage: examples/demo.sh [--seed N] [FOLDER]    (FOLDER: where log and models go; build/demo)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/tools/setup.sh"

seed=1 folder=$root/build/demo
while [ $# -gt 0 ]; do
  case $1 in
    --seed) seed=${2:?--seed needs a number}; shift 2 ;;
    -h | --help) sed -n '3,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    -*) echo "examples/demo.sh: unknown argument $1 (known: --seed N)" >&2; exit 2 ;;
    *) folder=$1; shift ;;
  esac
done

started=$SECONDS
install_missing program
configure -Dtests=false -Dxtensor=disabled -Dcuda=disabled # one backend is enough here, and compiles sooner
say "building the recommender"
ninja -C "$root/build" examples/recommender/recommender
recommender=$root/build/examples/recommender/recommender
mkdir -p "$folder"
data=$folder/log/hidden.csv # log.csv with the columns season, market and campaign beside it

say "simulating a log (seed $seed)"
"$recommender" simulate --output "$folder/log" --seed "$seed"
say "training sft: the next item"
"$recommender" train --data "$data" --method sft --covariates time,market --seed "$seed" --output "$folder/sft" >"$folder/sft.txt"
say "training dpo"
"$recommender" train --data "$data" --method dpo --covariates time,market --beta 1 --seed "$seed" --start "$folder/sft" --output "$folder/dpo" >"$folder/dpo.txt"
say "training causaldpo: environments from time and market"
"$recommender" train --data "$data" --method causaldpo --covariates time,market --beta 0.3 --seed "$seed" --start "$folder/sft" --output "$folder/causaldpo"

say "judging"
judge() { # judge MODEL NAME SERVING...
  "$recommender" evaluate --model "$folder/$1" --data "$data" --tests "$folder/log/tests.safetensors" --json "$folder/$2.json" "${@:3}" \
    >"$folder/evaluate_$2.txt" 2>&1 || { cat "$folder/evaluate_$2.txt" >&2; return 1; }
}
judge sft sft
judge dpo dpo
judge dpo dpo_removed --serve removed
judge dpo dpo_today --serve today
judge dpo dpo_forecast --serve forecast --counts "$folder/log/new_log.csv"
judge causaldpo causaldpo_uniform --serve uniform
judge causaldpo causaldpo_today --serve today
judge causaldpo causaldpo_forecast --serve forecast --counts "$folder/log/new_log.csv"

python3 - "$folder" <<'TABLE'
import json, sys

rows = [("sft", "sft"), ("dpo", "dpo"), ("causaldpo", "causaldpo_uniform"), ("dpo, popularity removed afterwards", "dpo_removed"),
        ("dpo, serving today", "dpo_today"), ("causaldpo, serving today", "causaldpo_today"),
        ("dpo, serving the forecast", "dpo_forecast"), ("causaldpo, serving the forecast", "causaldpo_forecast")]
columns = [("in distribution", "id"), ("uniform exposure", "uniform"), ("new environment", "new")]
results = {name: json.load(open(f"{sys.argv[1]}/{name}.json"))["exact"] for _, name in rows}
print("\nNDCG@10 by exact tests, and its ratio to dpo. Below the first three rows: what serving can do with the same models,")
print("for the exposure of each request (today) or for that of the new environment, of which a small log is known (forecast).")
print(f"{'':36}" + "".join(f"{title:>24}" for title, _ in columns))
for title, name in rows:
    cells = [(results[name][key]["ndcg@10"], results[name][key]["ndcg@10"] / results["dpo"][key]["ndcg@10"]) for _, key in columns]
    print(f"{title:36}" + "".join(f"{value:15.4f} ({ratio:4.2f} x)" for value, ratio in cells))
TABLE
say "took $((SECONDS - started)) s; log and models are in $folder"
