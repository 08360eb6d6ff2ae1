import os
import sys

import mlflow
from mlflow.tracking import MlflowClient


def _run(entry_point, parameters):
    submitted = mlflow.run(".", entry_point, parameters=parameters, env_manager="local")
    return MlflowClient().get_run(submitted.run_id)


with mlflow.start_run() as active:
    load = _run("load", {})
    raw = os.path.join(load.info.artifact_uri, "raw.csv")
    _run("transform", {"raw": raw, "max_rows": sys.argv[1]})
