import fire
import mlflow
import yaml

PARAMETERS = yaml.safe_load(open("settings.yaml"))


def pipeline(stages="extract,fit", source="warehouse"):
    for stage in stages.split(","):
        settings = dict(PARAMETERS[stage])
        settings["source"] = source
        mlflow.projects.run(uri="./stages/" + stage, parameters=settings, env_manager="conda")


if __name__ == "__main__":
    fire.Fire(pipeline)
