"""Imports point inward: the domain knows nothing of AWS, of storage, of flows or of HTTP."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

OMS = Path(__file__).parents[2] / "layers" / "oms" / "python" / "oms"
RINGS = {
    "storage": {"flows", "api"},
    "flows": {"api"},
    "api": set[str](),
}
"""What is around the domain, and what each ring may not import."""
AWS = {"boto3", "botocore", "aws_lambda_powertools", "aws_cdk"}


def imported(file: Path) -> set[str]:
    """Names a file imports: top-level packages, and the parts of `oms` as oms.<part>."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.name} imports relatively, which this test cannot follow"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names if node.module == "oms"}
    return {".".join(name.split(".")[:2]) if name.startswith("oms") else name.split(".")[0] for name in names}


def ring_of(file: Path) -> str:
    return file.relative_to(OMS).parts[0].removesuffix(".py")


FILES = sorted(OMS.rglob("*.py"))
DOMAIN = [file for file in FILES if ring_of(file) not in RINGS]


def test_there_is_a_domain_to_look_at() -> None:
    assert {"money", "orders", "inventory", "routing", "fulfillment", "payments", "carriers", "returns"} <= set(map(ring_of, DOMAIN))


@pytest.mark.parametrize("file", DOMAIN, ids=lambda file: str(file.relative_to(OMS)))
def test_the_domain_imports_nothing_from_outside(file: Path) -> None:
    assert not imported(file) & (AWS | {f"oms.{ring}" for ring in RINGS})


@pytest.mark.parametrize("file", [file for file in FILES if ring_of(file) in RINGS], ids=lambda file: str(file.relative_to(OMS)))
def test_no_ring_imports_the_one_around_it(file: Path) -> None:
    assert not imported(file) & {f"oms.{ring}" for ring in RINGS[ring_of(file)]}


def test_only_the_rings_that_need_them_import_the_sdk_or_powertools() -> None:
    users = {(package, ring_of(file)) for file in FILES for package in imported(file) & AWS}
    assert {ring for package, ring in users if package == "boto3"} == set()  # botocore makes the same clients for less
    assert {ring for package, ring in users if package == "botocore"} == {"api", "flows", "storage"}
    assert {ring for package, ring in users if package == "aws_lambda_powertools"} == {"api"}


def test_the_domain_can_be_imported_where_no_aws_package_is_installed() -> None:
    """In a fresh process in which they cannot be found; every module of the domain is imported there."""
    modules = [".".join(["oms", *file.relative_to(OMS).with_suffix("").parts]).removesuffix(".__init__") for file in DOMAIN]
    hidden = sorted(AWS | {f"oms.{ring}" for ring in RINGS})
    program = f"""
import importlib, sys
for name in {hidden!r}:
    sys.modules[name] = None  # importing it now raises ModuleNotFoundError
for name in {modules!r}:
    importlib.import_module(name)
print(len({modules!r}))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=OMS.parent, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) == len(modules)
