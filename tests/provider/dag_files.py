"""DAG files as people write them, good and bad."""

from __future__ import annotations

HEAD = """\
from airflow.providers.common.compat.sdk import DAG
try:
    from airflow.providers.standard.operators.empty import EmptyOperator
except ImportError:
    from airflow.operators.empty import EmptyOperator
from sagemaker_provider.operators import SageMakerConditionStepOperator, SageMakerLambdaStepOperator
from sagemaker_provider.definition.conditions import Equals

def step(task_id, **options):
    return SageMakerLambdaStepOperator(task_id=task_id, function_arn="arn:aws:lambda:us-west-2:111122223333:function:f", **options)

"""

GOOD = HEAD + 'with DAG("good_one", schedule=None, description="Good"):\n    step("first") >> step("second")\n'
DIFFERENT = (
    HEAD
    + 'from datetime import datetime\nwith DAG("different", schedule="@daily", start_date=datetime(2024, 1, 1), catchup=False):\n    step("work", retries=2)\n'
)
NESTED = (
    HEAD
    + 'with DAG("nested", schedule=None, params={"a": 1}):\n'
    + '    is_one = Equals("{{ params.a }}", 1)\n'
    + '    outer = SageMakerConditionStepOperator(task_id="outer", conditions=is_one, if_task_ids="inner")\n'
    + '    inner = SageMakerConditionStepOperator(task_id="inner", conditions=is_one, if_task_ids="work")\n'
    + '    outer >> inner >> step("work")\n'
)
VARIABLE = (
    HEAD + 'with DAG("variable", schedule=None):\n    step("work", config={"bucket": "{{ var.value.bucket }}"})\n'
)
TWO = HEAD + 'for name in ("two_a", "two_b"):\n    with DAG(name, schedule=None):\n        step("work")\n'
SAME_NAME = HEAD + 'for name in ("same_name", "same.name"):\n    with DAG(name, schedule=None):\n        step("work")\n'
NOISY = (
    "import logging, os, sys\n"
    + HEAD
    + 'print("printed")\nsys.stdout.write("written")\nprint("complained", file=sys.stderr)\n'
    + 'logging.getLogger().error("logged")\ntry:\n    os.system("echo from-a-child")\nexcept PermissionError:\n    pass\n'
    + 'with DAG("noisy", schedule=None):\n    step("work")\n'
    + 'os.chdir("/")\nsys.path.clear()\n'
)
EXITS = HEAD + "import sys\nsys.exit(0)\n"
SYNTAX = HEAD + "def broken(:\n"
IMPORT = HEAD + "import a_module_that_is_not_there\n"
CYCLE = HEAD + 'with DAG("circle", schedule=None):\n    a, b = step("a"), step("b")\n    a >> b\n    b >> a\n'
UNKNOWN = (
    HEAD
    + "from airflow.providers.common.compat.sdk import BaseOperator\n"
    + "class WeatherOperator(BaseOperator):\n    pass\n"
    + 'with DAG("unknown", schedule=None):\n'
    + '    WeatherOperator(task_id="forecast") >> step("work", config={"v": "{{ conn.x }}"})\n'
)
WITHOUT_TASKS = HEAD + 'with DAG("without_tasks", schedule=None):\n    pass\n'
ONLY_EMPTY = HEAD + 'with DAG("only_empty", schedule=None):\n    EmptyOperator(task_id="start")\n'
NO_DAG = "# airflow: this file holds no DAG\n"

FILES = {
    "good.py": GOOD,
    "different.py": DIFFERENT,
    "two.py": TWO,
    "same_name.py": SAME_NAME,
    "noisy.py": NOISY,
    "exits.py": EXITS,
    "syntax.py": SYNTAX,
    "import_error.py": IMPORT,
    "cycle.py": CYCLE,
    "unknown.py": UNKNOWN,
    "without_tasks.py": WITHOUT_TASKS,
    "only_empty.py": ONLY_EMPTY,
    "no_dag.py": NO_DAG,
}
