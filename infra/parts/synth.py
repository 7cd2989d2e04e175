"""The template as it is deployed, without the CDK CLI: for tests, and for running the machines somewhere else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aws_cdk as cdk

from infra import ROOT
from infra.app import compose
from infra.parts.layers import LayerFolders

PSEUDO = {"AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": "123456789012", "AWS::URLSuffix": "amazonaws.com"}


@cache
def template(*, local: bool = False) -> dict[str, Any]:
    """The synthesised template with empty layers; takes some seconds, once per process. Callers must not change it."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    with TemporaryDirectory() as folder:
        empty = Path(folder) / "layer"
        empty.mkdir()
        app = cdk.App(outdir=str(Path(folder) / "out"), context=context)
        stack = compose(app, LayerFolders(empty, empty), local=local)
        result: dict[str, Any] = app.synth().get_stack_by_name(stack.stack_name).template
    return result


def definition(machine: str) -> dict[str, Any]:
    """The definition of `order`, `fulfillment` or `return`, with function ARNs as in account 123456789012, region us-east-1."""
    resources = template()["Resources"]
    found = next(
        resource["Properties"]
        for resource in resources.values()
        if resource["Type"] == "AWS::StepFunctions::StateMachine" and resource["Properties"]["StateMachineName"] == f"oms-{machine}"
    )
    parsed: dict[str, Any] = json.loads(text(found["DefinitionString"], resources))
    return parsed


def text(value: object, resources: Mapping[str, Any]) -> str:
    """What a template's string will be: joins joined, pseudo parameters and functions' ARNs filled in, other references left as names."""
    match value:
        case str():
            return value
        case {"Fn::Join": [str(separator), [*parts]]}:
            return separator.join(text(part, resources) for part in parts)
        case {"Fn::GetAtt": [str(name), "Arn"]} if resources[name]["Type"] == "AWS::Lambda::Function":
            function = resources[name]["Properties"]["FunctionName"]
            return f"arn:aws:lambda:{PSEUDO['AWS::Region']}:{PSEUDO['AWS::AccountId']}:function:{function}"
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return f"{name}.{attribute}"
        case {"Ref": str(name)}:
            return PSEUDO.get(name, name)
    raise ValueError(f"A string of the template is made in a way not known here: {value!r}")
