"""Fit a ridge regression; cross validation gives its mean squared error. The model takes this file along, to be served."""

import argparse
import os
import shutil

import joblib
import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score


def model_fn(model_dir):
    """Load the model; the container calls this when it serves one."""
    return joblib.load(os.path.join(model_dir, "model.joblib"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--alpha", type=float, default=0.1)
    parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN"))
    parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR"))
    args = parser.parse_args()

    rows = np.loadtxt(os.path.join(args.train, "train.csv"), delimiter=",")
    features, target = rows[:, 1:], rows[:, 0]
    model = Ridge(alpha=args.alpha)
    scores = cross_val_score(model, features, target, scoring="neg_mean_squared_error")
    print(f"validation:mse={-scores.mean():.4f}")
    joblib.dump(model.fit(features, target), os.path.join(args.model_dir, "model.joblib"))
    os.makedirs(os.path.join(args.model_dir, "code"), exist_ok=True)
    shutil.copy(__file__, os.path.join(args.model_dir, "code", "train.py"))
