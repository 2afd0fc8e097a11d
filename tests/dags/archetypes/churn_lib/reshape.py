"""Reshaping of the raw churn export."""

import csv
import io

COLUMNS = ("churned", "calls", "minutes")


def to_training_rows(text):
    """Label first, no header, rows without a label left out."""
    rows = csv.DictReader(io.StringIO(text))
    return [[row[name] for name in COLUMNS] for row in rows if row["churned"] != ""]


def split(rows, holdout=4):
    """Every fourth row is for validation."""
    train = [row for number, row in enumerate(rows) if number % holdout]
    return train, rows[::holdout]


def to_csv(rows):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
