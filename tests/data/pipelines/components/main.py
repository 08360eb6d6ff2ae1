import os
import sys

import mlflow
import yaml

out = sys.argv[1]
with open("config.yaml") as stream:
    config = yaml.safe_load(stream)

mlflow.run(
    f"{config['main']['components_repository']}/get_data",
    "main",
    version="v1",
    env_manager="local",
    parameters={"sample": config["etl"]["sample"], "out": os.path.join(out, "sample.txt")},
)
mlflow.run("clean", env_manager="local", parameters={"input": "sample.csv:latest"})
