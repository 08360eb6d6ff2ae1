import os

import hydra
import mlflow
from omegaconf import DictConfig

_steps = ["ingest", "features", "train"]


@hydra.main(version_base=None, config_path="conf", config_name="config")
def go(config: DictConfig):
    root = hydra.utils.get_original_cwd()
    wanted = config["main"]["steps"]
    active = wanted.split(",") if wanted != "all" else _steps

    if "ingest" in active:
        mlflow.run(
            os.path.join(root, "src", "ingest"),
            "main",
            env_manager="local",
            parameters={"url": config["data"]["url"], "sample": config["data"]["sample"]},
        )
    if "features" in active:
        mlflow.run(
            os.path.join(root, "src", "build_features"),
            env_manager="local",
            parameters={"source": os.path.join(root, config.data.file), "lags": config.data.lags[0]},
        )
    if "train" in active:
        mlflow.run(
            os.path.join(root, "src", "train"),
            env_manager="local",
            parameters={
                "kind": config.model.kind,
                "rate": config["model"]["rate"],
                "name": f"{config.main.project}-{config.model.kind}",
            },
        )


if __name__ == "__main__":
    go()
