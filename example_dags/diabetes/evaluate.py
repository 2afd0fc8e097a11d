"""Measure the model on the test data; evaluation.json has the form that the model registry shows."""

import argparse
import json
import os
import tarfile

import joblib
import numpy as np
from sklearn.metrics import mean_squared_error, r2_score

parser = argparse.ArgumentParser()
parser.add_argument("--folder", required=True)
args = parser.parse_args()

with tarfile.open(f"{args.folder}/model/model.tar.gz") as archive:
    model = joblib.load(archive.extractfile("model.joblib"))
rows = np.loadtxt(f"{args.folder}/test/test.csv", delimiter=",")
target, predictions = rows[:, 0], model.predict(rows[:, 1:])
metrics = {
    "mse": {"value": float(mean_squared_error(target, predictions))},
    "r2": {"value": float(r2_score(target, predictions))},
}
os.makedirs(f"{args.folder}/evaluation", exist_ok=True)
with open(f"{args.folder}/evaluation/evaluation.json", "w") as file:
    json.dump({"regression_metrics": metrics}, file)
print(json.dumps(metrics))
