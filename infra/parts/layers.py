"""The two layers: the product (`oms`) and its dependencies, both built at synth, without Docker.

On AWS the dependencies are the wheels of requirements.txt for Lambda's platform. The local engine runs handlers with its own
environment's Python and packages, so there the layer holds a note only: wheels for another platform would shadow them.
"""

from __future__ import annotations

import compileall
import hashlib
import json
import py_compile
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import AssetHashType
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.parts import openapi

PYTHON = "3.13"
RUNTIME = lambda_.Runtime.PYTHON_3_13
ARCHITECTURE = lambda_.Architecture.ARM_64
WHEELS = ("--platform", "manylinux2014_aarch64", "--implementation", "cp", "--python-version", PYTHON, "--only-binary=:all:")


@dataclass(frozen=True)
class LayerFolders:
    """Folders ready to be shipped as layers; each holds a folder `python` (or nothing to import)."""

    oms: Path
    dependencies: Path


class Layers(Construct):
    """The layers every function uses, the product first."""

    def __init__(self, scope: Construct, construct_id: str, *, folders: LayerFolders) -> None:
        super().__init__(scope, construct_id)
        self.all = [
            self._layer("Oms", folders.oms, "The product: the package oms"),
            self._layer("Dependencies", folders.dependencies, "What the product imports, from layers/dependencies/requirements.txt"),
        ]

    def _layer(self, name: str, folder: Path, description: str) -> lambda_.LayerVersion:
        # Hashed over names and sources, not over bytecode, which differs between builds of the same source.
        code = lambda_.Code.from_asset(str(folder), asset_hash=_digest(folder), asset_hash_type=AssetHashType.CUSTOM)
        return lambda_.LayerVersion(
            self, name, code=code, description=description, compatible_runtimes=[RUNTIME], compatible_architectures=[ARCHITECTURE]
        )


def build(layers: Path, target: Path, *, local: bool) -> LayerFolders:
    """Bring both layers up to date in `target` from the sources in `layers`.

    Raises `SystemExit` with a message when the dependencies cannot be installed.
    """
    oms = target / "oms"
    shutil.rmtree(oms, ignore_errors=True)
    shutil.copytree(layers / "oms" / "python", oms / "python", ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info"))
    (oms / "python" / "oms" / "api" / "openapi.json").write_text(json.dumps(openapi.document(), separators=(",", ":")))
    _compile(oms, local=local)
    return LayerFolders(oms, _local_note(target) if local else _dependencies(layers / "dependencies" / "requirements.txt", target))


def _local_note(target: Path) -> Path:
    folder = target / "local-dependencies"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README").write_text("The local engine takes dependencies from the environment that it runs in.\n")
    return folder


def _dependencies(requirements: Path, target: Path) -> Path:
    """Install the wheels, unless the same requirements were installed before; a half-finished build is never taken for one."""
    wanted = hashlib.sha256(requirements.read_bytes() + " ".join((*WHEELS, sys.version)).encode()).hexdigest()
    folder, stamp = target / "dependencies", target / "dependencies.sha256"
    if folder.is_dir() and stamp.is_file() and stamp.read_text() == wanted:
        return folder
    stamp.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--require-hashes"]
    result = subprocess.run([*command, *WHEELS, "--target", str(folder / "python"), "-r", str(requirements)], check=False)
    if result.returncode:
        raise SystemExit(f"The dependencies layer could not be built: pip could not install {requirements} for Lambda (see above).")
    _compile(folder, local=False)
    stamp.write_text(wanted)
    return folder


def _compile(folder: Path, *, local: bool) -> None:
    """Ship bytecode, so that a cold start compiles nothing. It is of use to the Python version that made it only.

    Unchecked: the files of a layer never change, and their times do not survive the upload.
    """
    if local or f"{sys.version_info.major}.{sys.version_info.minor}" == PYTHON:
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        compileall.compile_dir(folder, quiet=2, stripdir=str(folder), prependdir="/opt", invalidation_mode=mode)


def _digest(folder: Path) -> str:
    """A hash of everything in the folder but the contents of bytecode files."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(folder)).encode() + b"\0")
        digest.update(b"" if path.suffix == ".pyc" else path.read_bytes())
    return digest.hexdigest()
