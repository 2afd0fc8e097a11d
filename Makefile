# make demo, make test: everything else is installed into .venv (Airflow 3) and .venv-airflow2 (Airflow 2.11).
PYTHON ?= $(firstword $(foreach name,python3.12 python3.13 python3.11 python3.10 python3,$(shell command -v $(name) >/dev/null 2>&1 && $(name) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $(name))))
PYTHON2 ?= $(firstword $(foreach name,python3.12 python3.11 python3.10 python3,$(shell command -v $(name) >/dev/null 2>&1 && $(name) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && echo $(name))))
PYTEST_ARGS ?=
# A process for each core; the tests of a file share what they set up.
PARALLEL := --numprocesses logical --maxprocesses 8 --dist loadscope --no-loadscope-reorder
FOLDERS := definition hooks triggers sensors operators translator local provider example_dags example_dags/diabetes
LINK = -m pip install --quiet --disable-pip-version-check --no-deps --editable . --config-settings editable_mode=strict

.PHONY: help demo test test-nightly test-celery test-airflow2 test-clients test-mutations lint types docs benchmarks benchmarks-airflow clean

help:
	@echo 'make demo            train a model on a local SageMaker, step by step and as a pipeline'
	@echo 'make test            run the tests on Airflow 3'
	@echo 'make test-nightly    run the tests on random DAGs, with many more of them, and on DAGs of every shape'
	@echo 'make test-celery     kill tasks and workers of Celery (needs redis-server and PostgreSQL on the path)'
	@echo 'make test-airflow2   run the tests on Airflow 2.11'
	@echo 'make test-clients    run the SageMaker SDK (2 and 3) and the AWS CLI on the local SageMaker'
	@echo 'make test-mutations  take each rule of findings away, and see whether a test notices (10 minutes)'
	@echo 'make lint types      check the style and the types'
	@echo 'make docs            write the generated reference pages'
	@echo 'make benchmarks      measure conversion and import times'
	@echo 'make benchmarks-airflow  incidents beside the amazon provider, and 200 tasks that wait in a running Airflow (30 minutes)'

.venv/ready: pyproject.toml constraints/airflow3.txt
	@test -n "$(PYTHON)" || { echo 'Python 3.10 to 3.13 is needed; set PYTHON=...'; exit 1; }
	@echo 'Installing into .venv, once ...'
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints/airflow3.txt --editable '.[dev]' --config-settings editable_mode=strict
	@touch $@

.venv-airflow2/ready: pyproject.toml constraints/airflow2.txt
	@test -n "$(PYTHON2)" || { echo 'Python 3.10 to 3.12 is needed for Airflow 2.11; set PYTHON2=...'; exit 1; }
	@echo 'Installing into .venv-airflow2, once ...'
	@$(PYTHON2) -m venv .venv-airflow2
	@.venv-airflow2/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints/airflow2.txt --editable '.[test]' --config-settings editable_mode=strict
	@touch $@

.venv-clients-%/ready: tests/clients/requirements-%.txt
	@test -n "$(PYTHON2)" || { echo 'Python 3.10 to 3.12 is needed for the SageMaker SDK; set PYTHON2=...'; exit 1; }
	@echo 'Installing into $(@D), once ...'
	@$(PYTHON2) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# An editable installation links the files that were there; a new or removed file changes its folder.
.venv/linked: .venv/ready $(FOLDERS)
	@[ .venv/ready -nt .venv/linked ] || .venv/bin/python $(LINK)
	@touch $@

.venv-airflow2/linked: .venv-airflow2/ready $(FOLDERS)
	@[ .venv-airflow2/ready -nt .venv-airflow2/linked ] || .venv-airflow2/bin/python $(LINK)
	@touch $@

demo: .venv/linked
	@.venv/bin/python -m sagemaker_provider.local.demo

test: .venv/linked
	@.venv/bin/python -m pytest $(PARALLEL) $(PYTEST_ARGS)

test-nightly: .venv/linked
	@EQUIVALENCE_EXAMPLES=100 DIFFERENTIAL_EXAMPLES=2000 PLANNING_EXAMPLES=500 SPLIT_RUNS=all GROUP_EXAMPLES=20 GROUP_RUNS=all ARCHETYPES=all CRASHES=all .venv/bin/python -m pytest $(PARALLEL) $(PYTEST_ARGS) tests/local/test_equivalence.py tests/translator/test_differential.py tests/translator/test_planning.py tests/provider/test_split_runs.py tests/operators/test_group_both_ways.py tests/operators/test_group_in_airflow.py tests/operators/test_crash_matrix.py tests/translator/test_archetypes.py

test-celery: .venv/linked
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints/airflow3.txt apache-airflow-providers-celery asyncpg psycopg2-binary redis
	@EXECUTOR=celery CRASHES=all .venv/bin/python -m pytest $(PYTEST_ARGS) tests/operators/test_crash_matrix.py -k "restart or takes_its or training_"

test-airflow2: .venv-airflow2/linked
	@.venv-airflow2/bin/python -m pytest $(PARALLEL) $(PYTEST_ARGS)

# Not python -m pytest: with this folder on the path, pytest finds the plug-in of this package, which the clients do not have.
test-clients: .venv/linked .venv-clients-v2/ready .venv-clients-v3/ready
	@.venv-clients-v2/bin/pytest $(PYTEST_ARGS) tests/clients/aws_cli.py tests/clients/sdk_v2.py
	@.venv-clients-v3/bin/pytest $(PYTEST_ARGS) tests/clients/sdk_v3.py

test-mutations: .venv/linked
	@.venv/bin/python tests/mutations.py

lint: .venv/linked
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types: .venv/linked
	@.venv/bin/mypy

docs: .venv/linked
	@.venv/bin/python docs/generate.py

benchmarks: .venv/linked
	@.venv/bin/python benchmarks/conversion.py
	@.venv/bin/python benchmarks/loading.py
	@.venv/bin/python benchmarks/assessing.py
	@.venv/bin/python benchmarks/imports.py
	@.venv/bin/python benchmarks/local_sagemaker.py
	@.venv/bin/python benchmarks/waiting.py

# The amazon provider's deferrable operators need aiobotocore, whose botocore is another than ours: a folder of its own.
benchmarks-airflow: .venv/linked
	@[ -d .aiobotocore ] || .venv/bin/python -m pip install --quiet --disable-pip-version-check --target .aiobotocore aiobotocore
	@.venv/bin/python benchmarks/incidents.py --aiobotocore .aiobotocore
	@.venv/bin/python benchmarks/waiting_in_airflow.py

clean:
	@rm -rf .venv .venv-airflow2 .venv-clients-* .aiobotocore .demo build *.egg-info
