import fire
import mlflow
import yaml

PARAMETERS = yaml.safe_load(open("settings.yaml"))


def pipeline(source="lake", only=None):
    for stage in PARAMETERS:
        if only in (None, stage):
            settings = dict(PARAMETERS[stage])
            settings["source"] = source
            mlflow.projects.run(uri="./stages/" + stage, parameters=settings, env_manager="conda")


if __name__ == "__main__":
    fire.Fire(pipeline)
