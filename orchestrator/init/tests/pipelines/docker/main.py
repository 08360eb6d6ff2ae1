import mlflow
import typer

STAGES = [("resize", {"size": None}), ("label", {}), ("label", {"again": "yes"})]


def main(size: int = typer.Option(64, help="pixels")):
    for name, parameters in STAGES:
        if "size" in parameters:
            parameters["size"] = size
        mlflow.run(f"src/{name}", parameters=parameters, backend="local", build_image=False)
    try:
        mlflow.run("src/publish", docker_args={"gpus": "all"}, synchronous=True)
    except mlflow.exceptions.ExecutionException as error:
        print("not published", error)


if __name__ == "__main__":
    typer.run(main)
