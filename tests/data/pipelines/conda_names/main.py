import fire
import mlflow


def go(source="lake"):
    mlflow.run("stages/extract", env_manager="conda", parameters={"since": "2020-01-01", "source": source})
    mlflow.run("stages/fit", env_manager="conda", parameters={"rounds": 10})


if __name__ == "__main__":
    fire.Fire(go)
