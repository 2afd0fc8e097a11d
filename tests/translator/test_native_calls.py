"""Python tasks that only start one thing in SageMaker and wait."""

from __future__ import annotations

import ast
import textwrap
from typing import Any

import pytest

from sagemaker_provider.translator.native_calls import NativeCall, native_call
from sagemaker_provider.translator.syntax import Code

CLIENT = "c = boto3.client('sagemaker')\n"


def found(text: str) -> NativeCall | None:
    return native_call([Code(ast.parse(textwrap.dedent(text)))])


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("c = boto3.client('sagemaker')\nc.create_training_job(**x)\nc.describe_training_job()", "create_training_job"),
        ("c = boto3.client(service_name='sagemaker')\nc.create_model(**x)", "create_model"),
        (CLIENT + "c.create_model(**x)\nc.create_endpoint(**y)", None),
        ("c = boto3.client('s3')\nc.create_bucket()", None),
        (CLIENT + "d = boto3.client('sagemaker')\nc.create_model(**x)", "create_model"),
        (CLIENT + "c.create_model(**x)\ns3.put_object()", None),
        (CLIENT + "c.create_model(**x)\nrequests.post(url)", None),
        (CLIENT + "c.create_model(**x)\nopen('x', 'w')", None),
        (CLIENT + "c.create_model(**x)\nboto3.client('s3')", None),
        (CLIENT + "c.create_app()", None),
        (CLIENT + "c.create_model(**x)\nraise AirflowFailException(str(c.describe_model()))", "create_model"),
        (CLIENT + "def helper(x): return x\nc.create_model(**helper(x))", "create_model"),
        ("c.create_model()", None),
    ],
)
def test_calls_of_boto3(text: str, call: Any) -> None:
    native = found(text)
    assert (native and native.call) == call


@pytest.mark.parametrize(
    ("text", "call", "operator"),
    [
        ("from sagemaker.estimator import Estimator\ne = Estimator()\ne.fit()", "Estimator.fit", "Training"),
        ("from sagemaker.sklearn import SKLearn as S\ne = S()\ne.fit({'train': x})", "SKLearn.fit", "Training"),
        ("import sagemaker\ne = sagemaker.estimator.Estimator()\ne.fit(wait=True)", "Estimator.fit", "Training"),
        ("from sagemaker.automl.automl import AutoML\na = AutoML()\na.fit()", "AutoML.fit", "AutoML"),
        (
            "from sagemaker.processing import ScriptProcessor\np = ScriptProcessor()\np.run(code='x.py')",
            "ScriptProcessor.run",
            "Processing",
        ),
        ("from sagemaker.transformer import Transformer\nt = Transformer()\nt.transform(d)\nt.wait()",
         "Transformer.transform", "Transform"),
    ],
)  # fmt: skip
def test_calls_of_the_sdk(text: str, call: str, operator: str) -> None:
    native = found(text)
    assert native is not None
    assert (native.call, native.operator) == (call, f"SageMaker{operator}Operator")


@pytest.mark.parametrize(
    "text",
    [
        "from sklearn.linear_model import Ridge\nr = Ridge()\nr.fit(x)",
        "from sagemaker.estimator import Estimator\ne = Estimator()\ne.fit()\ne.deploy(1, 'ml.m5.large')",
        "from sagemaker.estimator import Estimator\ne = Estimator()\ne.fit()\ne.fit()",
        "from sagemaker.estimator import Estimator\ne = Estimator()",
        "from sagemaker.estimator import Estimator\ne = Estimator()\ne.fit()\npandas.read_csv(x)",
        "from sagemaker.tuner import HyperparameterTuner as T\nt = T()\nu = T()\nt.fit()\nu.fit()",
    ],
)
def test_what_no_operator_does(text: str) -> None:
    assert found(text) is None


def test_a_tuner_around_an_estimator() -> None:
    native = found(
        "from sagemaker.estimator import Estimator\nfrom sagemaker.tuner import HyperparameterTuner\n"
        "e = Estimator()\nt = HyperparameterTuner(e, max_jobs=2)\nt.fit()"
    )
    assert native == NativeCall("HyperparameterTuner.fit", "SageMakerTuningOperator", {}, ("e", "max_jobs"))


def test_the_config_has_what_the_source_says() -> None:
    native = found(
        CLIENT
        + "c.create_training_job(TrainingJobName=name, RoleArn='arn', Tags=[], "
        + "ResourceConfig={'InstanceCount': 1, 'InstanceType': kind}, HyperParameters={'a.b': '1'}, **more)"
    )
    assert native is not None
    assert native.config == {
        "RoleArn": "arn",
        "Tags": [],
        "ResourceConfig": {"InstanceCount": 1},
        "HyperParameters": {"a.b": "1"},
    }
    assert native.left == ("TrainingJobName", "ResourceConfig.InstanceType", "**more")


def test_arguments_of_the_sdk_are_members_of_the_request() -> None:
    native = found(
        """
        from sagemaker.estimator import Estimator
        e = Estimator(image_uri="image", role=ROLE, instance_count=1, sagemaker_session=s, hyperparameters={"a": 1})
        e.fit({"train": "s3://b/train"}, wait=True)
        """
    )
    assert native is not None
    assert native.config == {
        "AlgorithmSpecification": {"TrainingImage": "image"},
        "ResourceConfig": {"InstanceCount": 1},
    }
    assert native.left == ("RoleArn", "hyperparameters", "{'train': 's3://b/train'}")
    assert str(native).endswith("; to be filled in: RoleArn, hyperparameters, {'train': 's3://b/train'}")


def test_a_secret_is_not_shown() -> None:
    assert found(CLIENT + "c.create_model(Environment={'DB_PASSWORD': 'hunter2'})") is None
