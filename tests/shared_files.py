"""Reference material that lies beside a checkout of the project, where there is any."""

from pathlib import Path

SHARED = Path(__file__).parents[2] / "shared"
