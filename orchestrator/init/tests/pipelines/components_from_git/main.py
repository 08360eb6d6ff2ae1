import os

import hydra
import mlflow
from omegaconf import DictConfig

STEPS = ["download", "clean", "split", "test_model"]


@hydra.main(config_name="config")
def go(config: DictConfig):
    names = config["main"]["steps"]
    active_steps = STEPS[:] if names == "all" else [name.strip() for name in names.split(",")]
    repository = config["main"]["components_repository"]

    if "download" in active_steps:
        mlflow.run(
            f"{repository}/get_data",
            "main",
            version=config["main"]["components_version"],
            env_manager="conda",
            parameters={"sample": config["etl"]["sample"], "artifact_name": "sample.csv"},
        )
    if "clean" in active_steps:
        mlflow.run(
            os.path.join(hydra.utils.get_original_cwd(), "components", "clean"),
            env_manager="virtualenv",
            parameters={"input": "sample.csv:latest"},
        )
    if "split" in active_steps:
        mlflow.run(
            f"{repository}/split",
            version="v2",
            experiment_name="preparation",
            parameters={"test_size": config["modeling"]["test_size"]},
        )
    if "test_model" in active_steps and config["main"]["release"]:
        mlflow.run("git@git.invalid:team/parts.git#test_model", parameters={"model": "best:prod"})


if __name__ == "__main__":
    go()
