import json
import os

import mlflow
from omegaconf import OmegaConf

config = OmegaConf.load("params.yaml")

forest = os.path.abspath("forest.json")
with open(forest, "w+") as fp:
    json.dump(dict(config["modeling"]["forest"].items()), fp)

mlflow.run("train", env_manager="local", parameters={"forest": forest, "seed": config.modeling.seed})
