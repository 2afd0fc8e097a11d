"""Split scikit-learn's diabetes data into train.csv and test.csv; the first column is the target."""

import argparse
import os

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser()
parser.add_argument("--folder", required=True)
parser.add_argument("--seed", type=int, default=7)
parser.add_argument("--test-size", type=float, default=0.25)
args = parser.parse_args()

features, target = load_diabetes(return_X_y=True)
rows = np.column_stack([target, features])
train, test = train_test_split(rows, test_size=args.test_size, random_state=args.seed)
for name, part in (("train", train), ("test", test)):
    os.makedirs(f"{args.folder}/{name}", exist_ok=True)
    np.savetxt(f"{args.folder}/{name}/{name}.csv", part, delimiter=",")
    print(f"{name}: {len(part)} rows")
