import os

import hydra
import mlflow
from omegaconf import DictConfig

_steps = [
    "ingest",
    "features",
    "train",
    # Only by name: it writes to the shop.
    # "publish",
]


@hydra.main(version_base=None, config_path="conf", config_name="config")
def go(cfg: DictConfig) -> None:
    root = hydra.utils.get_original_cwd()
    wanted = cfg.main.steps
    active = wanted.split(",") if wanted != "all" else _steps

    if "ingest" in active:
        _ = mlflow.run(
            os.path.join(root, "src", "ingest"),
            "main",
            parameters={
                "url": cfg.data["url"],
                "target": hydra.utils.to_absolute_path(cfg["data"]["file"]),
            },
        )

    if "features" in active:
        _ = mlflow.run(
            os.path.join(root, "src", "build_features"),
            parameters={"source": os.path.join(root, cfg.data.file), "lags": cfg.data.lags[0]},
        )

    if "train" in active:
        _ = mlflow.run(
            os.path.join(root, "src", "train"),
            parameters={
                "kind": cfg.model.kind,
                "depth": cfg["model"]["depth"],
                "name": f"{cfg.main.project}-{cfg.model.kind}",
            },
        )

    if "publish" in active:
        _ = mlflow.run(os.path.join(root, "src", "publish"), parameters={"to": cfg.main.get("shop", "none")})


if __name__ == "__main__":
    go()
