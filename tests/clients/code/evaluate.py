"""Measure the error of a fitted slope."""

import json
import pathlib
import tarfile

with tarfile.open("/opt/ml/processing/model/model.tar.gz") as archive:
    model = json.load(archive.extractfile("model.json"))
evaluation = {"regression": {"error": abs(model["slope"] - 3)}}
pathlib.Path("/opt/ml/processing/evaluation/evaluation.json").write_text(json.dumps(evaluation))
print("evaluated", evaluation)
