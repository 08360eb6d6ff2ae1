import os
import sys

import mlflow
import yaml

project, group = sys.argv[1], sys.argv[2]
with open(os.path.join(os.getcwd(), "config.yml")) as stream:
    config = yaml.safe_load(stream)

os.environ["WANDB_PROJECT"] = project
os.environ["WANDB_RUN_GROUP"] = f"{group}-{config['main']['experiment']}"
os.environ.setdefault("WANDB_MODE", "offline")
os.environ["WANDB_API_KEY"] = os.environ["TEAM_KEY"]
os.environ["MLFLOW_TRACKING_URI"] = "http://tracking.invalid"

mlflow.set_experiment("genres")
mlflow.run("download", parameters={"url": config["data"]["url"], "retries": os.getenv("RETRIES", "3")})

os.environ["OMP_NUM_THREADS"] = str(config["train"]["threads"])
mlflow.run(
    "train",
    run_name="training",
    experiment_name=config["main"]["experiment"],
    parameters={"owner": os.environ.get("USER"), "project": os.environ["WANDB_PROJECT"]},
)
