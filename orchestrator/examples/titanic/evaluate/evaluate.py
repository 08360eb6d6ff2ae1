"""Compares two models on passengers that neither has seen, and copies the better one.

python3 evaluate.py TEST_DATA SMALL_MODEL LARGE_MODEL BEST_MODEL
"""

import csv
import math
import os
import shutil
import sys


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def evaluate(model, passengers):
    """The share of passengers that the model gets right, and its mean log loss."""
    right = loss = 0
    for passenger in passengers:
        values = passenger | {"(intercept)": 1}
        score = sum(weight * float(values[term]) for term, weight in model.items())
        survived = passenger["Survived"] == "1"
        right += (score > 0) == survived
        loss += math.log1p(math.exp(-score if survived else score))
    return right / len(passengers), loss / len(passengers)


test_data, small, large, best = sys.argv[1:]
passengers = rows(test_data)
metrics = {}
for name, path in ("small", small), ("large", large):
    model = {row["term"]: float(row["coefficient"]) for row in rows(path)}
    accuracy, loss = evaluate(model, passengers)
    metrics |= {f"{name}_accuracy": accuracy, f"{name}_log_loss": loss}
    print(f"{name} model: accuracy {accuracy:.3f}, log loss {loss:.3f}")

# Accuracy jumps from passenger to passenger; the log loss also counts how sure a model is.
is_small_better = metrics["small_log_loss"] <= metrics["large_log_loss"]
shutil.copyfile(small if is_small_better else large, best)
print(f"the {'small' if is_small_better else 'large'} model is better")

# What a step writes to this file become metrics of its run.
if file := os.environ.get("PIPELINE_METRICS"):
    with open(file, "a") as output:
        output.writelines(f"{name} {value}\n" for name, value in metrics.items())
