"""Prints as JSON all runs that MLflow's own client finds in the store that is named, newest last.

With a second argument, only those that it finds by this filter; with a third, the artifacts of every
run are downloaded into that folder and their texts printed too.
"""

import json
import math
import sys
from pathlib import Path

import mlflow
from mlflow.tracking import MlflowClient

uri, pattern, folder = (*sys.argv[1:], "", "")[:3]
# 2.x looks for a server's artifacts where this says, whatever its client was told.
mlflow.set_tracking_uri(uri)
client = MlflowClient()


def number(value):
    """JSON has no NaN and no infinity."""
    return value if math.isfinite(value) else str(value)


found = []
for experiment in client.search_experiments():
    for run in client.search_runs([experiment.experiment_id], filter_string=pattern, max_results=1000):
        artifacts = {}
        if folder:
            for entry in client.list_artifacts(run.info.run_id):
                target = Path(folder, run.info.run_id)
                target.mkdir(parents=True, exist_ok=True)
                path = client.download_artifacts(run.info.run_id, entry.path, str(target))
                artifacts[entry.path] = Path(path).read_text()
        found.append(
            {
                "id": run.info.run_id,
                "name": run.info.run_name,
                "status": run.info.status,
                "start": run.info.start_time,
                "end": run.info.end_time,
                "experiment": experiment.name,
                "tags": run.data.tags,
                "parameters": run.data.params,
                "metrics": {name: number(value) for name, value in run.data.metrics.items()},
                "series": {
                    name: [[value.step, number(value.value)] for value in client.get_metric_history(run.info.run_id, name)]
                    for name in run.data.metrics
                },
                "artifacts": artifacts,
            }
        )
json.dump(sorted(found, key=lambda run: run["start"]), sys.stdout)
