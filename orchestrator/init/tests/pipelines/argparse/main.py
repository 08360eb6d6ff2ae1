"""Runs the steps of the survey."""
import argparse
import os
import time

import mlflow

ALL_STEPS = ["prepare", "train", "report"]


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", default="all", help="names, separated by commas")
    parser.add_argument("--data", required=True)
    parser.add_argument("-n", "--rows", type=int, default=10)
    parser.add_argument("--title", type=str)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--dry", action="store_true")
    return parser.parse_args()


def main():
    args = parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    steps = ALL_STEPS if args.steps == "all" else args.steps.split(",")
    stamp = time.strftime("%Y-%m-%d")

    if "prepare" in steps:
        mlflow.run(
            os.path.join(here, "prepare"),
            parameters={
                "raw": os.path.join(args.data, "raw.csv"),
                "clean": os.path.join(here, "work", "clean.csv"),
                "rows": args.rows,
            },
            env_manager="local",
        )
    if "train" in steps:
        mlflow.run(
            "train",
            "fit",
            parameters={
                "data": "{}/work/{name}.csv".format(here, name="clean"),
                "seed": args.seed,
                "label": "%s, %d rows" % (args.title, args.rows),
                "braces": "{not a placeholder}",
                "dry": args.dry,
                "ratio": 0.10,
                "rate": 1e-5,
                "none": None,
            },
            env_manager="local",
        )
    if "report" in steps:
        mlflow.run(
            here + "/steps/report",
            parameters={"title": f"{args.title}: results", "made": stamp},
            env_manager="local",
        )


if __name__ == "__main__":
    main()
