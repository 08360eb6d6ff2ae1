"""Answers what MLflow itself makes of a project: a case per line in, an answer per line out, as JSON."""

import json
import os
import sys
import tempfile

from mlflow.projects._project_spec import load_project


def answer(case):
    os.chdir(case["folder"])
    project = load_project(os.path.join(case["folder"], "s"))
    entry_point = project.get_entry_point(case["entry_point"])
    with tempfile.TemporaryDirectory() as storage:
        command = entry_point.compute_command(dict(case["values"]), storage)
    # What MLflow would only notice when it starts the shell.
    if b"\0" in command.encode():
        raise ValueError("embedded null byte")
    return {
        "command": command,
        "environment": project.env_type,
        "file": project.env_config_path,
    }


for line in sys.stdin:
    try:
        result = answer(json.loads(line))
    except Exception as error:
        result = {"error": f"{type(error).__name__}: {error}".encode(errors="replace").decode()}
    print(json.dumps(result))
