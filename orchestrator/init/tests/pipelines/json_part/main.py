import json
import os
import tempfile
from pathlib import Path

import mlflow
import yaml
from omegaconf import OmegaConf

root = Path(__file__).resolve().parent
config = OmegaConf.load(root / "params.yaml")

with tempfile.TemporaryDirectory() as scratch:
    forest = os.path.abspath("forest.json")
    with open(forest, "w+") as fp:
        json.dump(dict(config["modeling"]["forest"].items()), fp)
    mlflow.run("train", parameters={"forest": forest, "seed": config.modeling.seed})

    features = os.path.join(scratch, "features.yml")
    with open(features, "w") as fp:
        fp.write(OmegaConf.to_yaml(config.features))
    both = {"features": features, "columns": config.features.columns}
    mlflow.run("score", parameters=both)

    Path("grid.json").write_text(json.dumps(OmegaConf.to_container(config.grid, resolve=True)))
    own = os.path.join(scratch, "own.json")
    with open(own, "w") as fp:
        json.dump({"seed": config.modeling.seed, "made": os.getpid()}, fp)
    mlflow.run("search", parameters={"grid": str(Path("grid.json").resolve()), "own": own, "scratch": scratch})

with open("params.yaml") as stream:
    everything = yaml.safe_load(stream)
mlflow.run("report", parameters=dict(everything["report"], title="Boosting"))
