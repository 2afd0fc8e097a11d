"""Clocks, uuids and chance while a file loads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dag_texts import HEAD, found, is_converted

from sagemaker_provider.translator.worker import ConvertedFile, Request, convert_files

CLOCKS = {
    "now": ("from datetime import datetime", "str(datetime.now())"),
    "module": ("import datetime as dt", "dt.datetime.utcnow().isoformat()"),
    "today": ("from datetime import date", 'date.today().strftime("%d")'),
    "time": ("import time", "int(time.time())"),
    "strftime": ("import time", 'time.strftime("%H")'),
    "uuid": ("import uuid", "uuid.uuid1().hex"),
    "pendulum": ("import pendulum", 'pendulum.now("UTC").to_date_string()'),
    "random": ("import random", "random.random()"),
    "secrets": ("import secrets", "secrets.token_hex(4)"),
    "entropy": ("import os", "os.urandom(4).hex()"),
}


@pytest.fixture(scope="module")
def clocks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ConvertedFile]:
    folder = tmp_path_factory.mktemp("clocks")
    for name, (line, value) in CLOCKS.items():
        text = f"{HEAD}{line}\nwith DAG('{name}', schedule=None):\n    step('work', a='same', made={value})\n"
        (folder / f"{name}.py").write_text(text)
    return {Path(item.file).stem: item for item in convert_files(Request(folder))}


@pytest.mark.parametrize("name", CLOCKS)
def test_a_value_made_from_clock_or_chance_is_an_error(clocks: dict[str, ConvertedFile], name: str) -> None:
    (error,) = [item for item in clocks[name].dags[0].findings if item.code == "SMP111"]
    assert (error.task, error.place.rpartition(".")[2]) == ("work", "made")


def test_what_a_packed_function_reads_of_its_module_is_compared_too(tmp_path: Path) -> None:
    (tmp_path / "d.py").write_text(
        HEAD
        + "from datetime import datetime\nfrom airflow.decorators import task\nimport missing_settings\n"
        + 'NOW = datetime.now().isoformat()\nTEAM = f"team {missing_settings.TEAM}"\n'
        + 'with DAG("d", schedule=None):\n'
        + "    @task\n    def clock():\n        return NOW\n"
        + "    @task\n    def stand_in():\n        return TEAM\n"
        + "    {}()\n"
    )
    for name, code, part in (("clock", "SMP111", "NOW of the file"), ("stand_in", "SMP113", "stand-in")):
        file = tmp_path / f"{name}.py"
        file.write_text((tmp_path / "d.py").read_text().replace("{}", name))
        (converted,) = convert_files(Request(file, compat=True))
        assert part in found(converted)[code]
        assert not is_converted(converted)


def test_the_real_classes_stay_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "d.py").write_text(
        HEAD
        + "import datetime as module\nfrom datetime import date, datetime, timedelta, timezone\n"
        + "class Later(datetime):\n    pass\n"
        + "checks = [\n"
        + "    isinstance(datetime(2024, 1, 1), datetime), isinstance(datetime.now(), date),\n"
        + "    type(datetime(2024, 1, 1)).__mro__[0].__module__ == 'datetime', issubclass(datetime, date),\n"
        + "    datetime.strptime('2024', '%Y').year == 2024, datetime.fromtimestamp(0, timezone.utc).year == 1970,\n"
        + "    datetime.combine(date(2024, 1, 2), datetime.min.time()).day == 2, module.date.fromisoformat('2024-01-02').day == 2,\n"
        + "    datetime.now(timezone.utc).tzinfo is timezone.utc, (datetime(2024, 1, 2) - timedelta(days=1)).day == 1,\n"
        + "]\n"
        + 'with DAG("d", schedule=None):\n    step("work", checks=str(checks))\n'
    )
    (file,) = convert_files(Request(tmp_path / "d.py"))
    assert is_converted(file), found(file)
    assert json.loads(file.dags[0].definition or "")["Steps"][0]["Arguments"]["checks"] == str([True] * 10)


def test_functions_of_modules_beside_the_file_are_the_same_at_each_load(tmp_path: Path) -> None:
    (tmp_path / "rows.py").write_text("def double(row):\n    return 2 * row\n")
    (tmp_path / "d.py").write_text(
        "from airflow.providers.common.compat.sdk import DAG, task\nfrom rows import double\n"
        'with DAG("d", schedule=None):\n    @task\n    def work():\n        return double(1)\n    work()\n'
    )
    (file,) = convert_files(Request(tmp_path / "d.py"))
    assert is_converted(file), found(file)
    assert any(path.endswith("rows.py") for path in file.dags[0].assets)
