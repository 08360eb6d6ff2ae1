import os
import sys

import mlflow
import yaml

project, group = sys.argv[1], sys.argv[2]
with open("config.yml") as stream:
    config = yaml.safe_load(stream)

os.environ["WANDB_PROJECT"] = project
os.environ["WANDB_RUN_GROUP"] = f"{group}-{config['main']['experiment']}"
mlflow.run("download", env_manager="local", parameters={"url": config["data"]["url"]})

os.environ["OMP_NUM_THREADS"] = str(config["train"]["threads"])
mlflow.run("train", env_manager="local", parameters={"project": os.environ["WANDB_PROJECT"]})
