import mlflow
import typer


def main(size: int = 32):
    mlflow.run("resize", parameters={"size": size})


if __name__ == "__main__":
    typer.run(main)
