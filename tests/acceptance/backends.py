#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# The program on every backend in it: train, evaluate and recommend with one seed give the same metrics within rounding.
# usage: backends.py RECOMMENDER
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from common import backends_of, check, evaluate, finish, run, skip


def has_device(program, train):
    """False where the CUDA backend says that there is no device, before it does anything."""
    done = subprocess.run([program, *map(str, train)], capture_output=True, text=True)
    return done.returncode == 0 or "no CUDA device" not in done.stderr


def on_every_backend(program, folder):
    """The same seed on each backend of the build: the same metrics but for rounding, and the backend's name in the model."""
    names, default = backends_of(program)
    log = folder / "simulated"
    run(program, "simulate", "--output", log, "--users", "120", "--items", "96", "--seed", "2")
    small = ["--dim", "16", "--feed-forward", "32", "--sft-epochs", "3", "--epochs", "2", "--quiet", "--seed", "5", "--environments", "4"]
    metrics = {}
    for name in list(names):
        model = folder / f"on_{name}"
        train = ["train", "--data", log / "hidden.csv", "--backend", name, *small, "--output", model]
        if name == "cuda" and not has_device(program, train):
            skip("cuda: no CUDA device")
            names.remove(name)
            continue
        run(program, *train)
        summary = json.loads((model / "model.json").read_text())["options"]["training"]
        check(summary["backend"] == name, f"{name}: the model's summary says what it was trained on")
        report = evaluate(program, model, log / "hidden.csv", folder, "--tests", log, "--backend", name)
        check(report["backend"] == name, f"{name}: evaluate says what it computed on")
        metrics[name] = {f"{part} {key}": value for part, values in report["exact"].items() for key, value in values.items()}
        metrics[name]["stages"] = sum(stage["loss"] for stage in summary["stages"].values())
        out, _, _ = run(program, "recommend", "--model", model, "--user", "0", "--top", "3", "--backend", name)
        check(len(out.splitlines()) == 4, f"{name}: recommends")
    for name in (name for name in names if name != default):
        worst = max(abs(value - metrics[default][key]) for key, value in metrics[name].items())
        check(worst < 2e-3, f"{name}: every exact metric and the losses are those of {default} within 0.002 (largest difference {worst:.1e})")
    different = folder / "other_seed"
    run(program, "train", "--data", log / "hidden.csv", *small[:-4], "--seed", "6", "--environments", "4", "--output", different)
    other = evaluate(program, different, log / "hidden.csv", folder, "--tests", log)["exact"]
    check(any(abs(value - metrics[default][f"{part} {key}"]) > 2e-3 for part, values in other.items() for key, value in values.items()),
          "another seed differs by more than that")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        on_every_backend(sys.argv[1], Path(name))
    finish()
