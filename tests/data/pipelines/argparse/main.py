"""Runs the steps of the survey."""
import argparse
import os

import mlflow

STEPS = ["prepare", "train", "report"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", default="all")
    parser.add_argument("--data", required=True)
    parser.add_argument("--rows", type=int, default=10)
    parser.add_argument("--title", type=str)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()

    here = os.path.dirname(os.path.abspath(__file__))
    steps = STEPS if args.steps == "all" else args.steps.split(",")

    if "prepare" in steps:
        mlflow.run(
            os.path.join(here, "prepare"),
            parameters={"raw": os.path.join(args.data, "raw.csv"), "rows": args.rows},
            env_manager="local",
        )
    if "train" in steps:
        mlflow.run(
            "train",
            "fit",
            parameters={"seed": args.seed, "label": f"{args.title}, {args.rows} rows", "ratio": 0.10, "rate": 1e-5},
            env_manager="local",
        )
    if "report" in steps:
        mlflow.run(here + "/steps/report", parameters={"title": args.title + ": results"}, env_manager="local")


if __name__ == "__main__":
    main()
