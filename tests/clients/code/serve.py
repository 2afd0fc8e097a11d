"""Serve a fitted slope."""

import json
import pathlib


def model_fn(model_dir):
    return json.loads(pathlib.Path(model_dir, "model.json").read_text())["slope"]


def predict_fn(data, model):
    return [[float(row[0]) * model] for row in data]
