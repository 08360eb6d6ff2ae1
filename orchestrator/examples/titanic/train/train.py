"""Fits a logistic regression, writes its coefficients to a file, and records it in MLflow."""

import argparse
import fcntl

import mlflow
import pandas
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--train_data", required=True)
parser.add_argument("--model", required=True)
parser.add_argument("--columns", required=True)
parser.add_argument("--C", type=float, required=True)
arguments = parser.parse_args()

columns = arguments.columns.split(",")
data = pandas.read_csv(arguments.train_data)
x, y = data[columns].astype(float), data["Survived"]
scaler, regression = StandardScaler(), LogisticRegression(C=arguments.C)
model = make_pipeline(scaler, regression).fit(x, y)

# In the units of the data, so that who reads the file needs no scaler.
weights = regression.coef_[0] / scaler.scale_
intercept = regression.intercept_[0] - weights @ scaler.mean_
terms = pandas.Series([intercept, *weights], index=["(intercept)", *columns])
terms.to_csv(arguments.model, header=["coefficient"], index_label="term")

# The run of this step: MLFLOW_RUN_ID names it. Its parameters are recorded there already.
# MLflow makes its tables when it first opens a new database, which two trainings must not do at once.
with open(__file__) as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    run = mlflow.start_run()
with run:
    mlflow.log_params({"solver": regression.solver, "max_iter": regression.max_iter})
    mlflow.log_metric("train_accuracy", accuracy_score(y, model.predict(x)))
    mlflow.log_metric("train_log_loss", log_loss(y, model.predict_proba(x)))
    mlflow.log_artifact(arguments.model)
    mlflow.sklearn.log_model(
        model, name="model", pip_requirements=[f"scikit-learn=={sklearn.__version__}"]
    )
print(f"{len(data)} passengers, {len(columns)} columns")
