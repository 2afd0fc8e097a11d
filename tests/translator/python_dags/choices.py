"""Tasks that choose: among three, among several, and whether to go on."""

from airflow.providers.common.compat.sdk import DAG, task

try:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.providers.standard.operators.python import BranchPythonOperator, ShortCircuitOperator
except ImportError:  # Airflow 2 has them itself
    from airflow.operators.bash import BashOperator
    from airflow.operators.python import BranchPythonOperator, ShortCircuitOperator


def one_of(word):
    """Choose one of three, or none."""
    if word == "none":
        return None
    return word


def two_way(word):
    """Choose one of two."""
    return "left" if word == "a" else "right"


def several(word):
    """Choose any of two."""
    return [name for name in ("x", "y") if name in word]


def echo(task_id, **options):
    """A task that says its name."""
    return BashOperator(task_id=task_id, bash_command=f"echo {task_id}", **options)


WORD = {"word": "{{ params.word }}"}

with DAG("one_of", schedule=None, params={"word": "a"}):
    choose = BranchPythonOperator(task_id="choose", python_callable=one_of, op_kwargs=WORD)
    choose >> [echo("a"), echo("b"), echo("c")]

with DAG("two_way", schedule=None, params={"word": "a"}):
    choose = BranchPythonOperator(task_id="choose", python_callable=two_way, op_kwargs=WORD)
    choose >> [echo("left"), echo("right")] >> echo("join", trigger_rule="none_failed_min_one_success")

with DAG("several", schedule=None, params={"word": "x"}):
    choose = BranchPythonOperator(task_id="choose", python_callable=several, op_kwargs=WORD)
    choose >> [echo("x"), echo("y")]

with DAG("go_on", schedule=None, params={"word": "yes"}):

    @task
    def word_of(params=None):
        """The word."""
        return params["word"]

    gate = ShortCircuitOperator(task_id="gate", python_callable=lambda word: word == "yes", op_args=[word_of()])
    gate >> echo("then") >> echo("always", trigger_rule="all_done")
    echo("beside")
