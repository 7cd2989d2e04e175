"""Deploy the CDK app into the engine with the real CDK CLI, and only when something in it has changed."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from botocore.exceptions import ClientError

from infra.local import node
from infra.local.aws import Aws
from infra.local.console import Console
from infra.local.settings import ACCOUNT, REGION, ROOT, STACK, Local
from infra.local.trouble import Trouble

# Kept in the engine, not in a file: so it can never say more than the engine really holds.
_SOURCES = "/oms/local/sources"
_COUNTER = re.compile(r"\|\s*(\d+)/(\d+)\s*\|")
_BAD = re.compile(r"FAILED|error|failed|denied|❌|Exception|Traceback", re.IGNORECASE)
_DEPLOY_SECONDS = 900
_TOOLKIT = "CDKToolkit"
_WHOLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")


def deploy(local: Local, aws: Aws, console: Console) -> bool:
    """Bring the stack up to date; False if it was already. Trouble with the CLI's own last words if it fails."""
    sources = fingerprint()
    if _settled(aws) and _deployed_sources(aws) == sources:
        return False
    if _status(aws, _TOOLKIT) not in _WHOLE:
        _clear_bootstrap(aws)
        with console.step("Bootstrapping the engine for the CDK"):
            _cdk(local, console, "bootstrap", f"aws://{ACCOUNT}/{REGION}", cwd=local.home)
    with console.step(f"Deploying the stack {STACK}"):
        _cdk(
            *(local, console, "deploy", STACK, "--context", "target=local"),
            *("--require-approval", "never", "--method", "direct", "--progress", "events"),
        )
    aws.parameters.put_parameter(Name=_SOURCES, Value=sources, Type="String", Overwrite=True)
    (local.home / "outputs.json").write_text(json.dumps(outputs(aws), indent=2) + "\n")
    return True


def outputs(aws: Aws) -> dict[str, str]:
    """The stack's outputs; {} if there is no stack."""
    try:
        stack = aws.cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
    except ClientError:
        return {}
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def fingerprint() -> str:
    """A digest of everything that a deployment is made from."""
    digest = hashlib.sha256(f"{node.CDK_CLI} {platform.python_version()}".encode())
    for path in sorted(_sources(ROOT)):
        digest.update(f"{path.relative_to(ROOT)}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _sources(root: Path) -> Iterator[Path]:
    yield from (root / "cdk.json", root / "requirements.txt")
    for folder in ("infra", "functions", "layers"):
        for path in (root / folder).rglob("*"):
            local_only = path.is_relative_to(root / "infra" / "local")
            if path.is_file() and not local_only and "__pycache__" not in path.parts:
                yield path


def _status(aws: Aws, stack: str) -> str | None:
    try:
        return aws.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    except ClientError:
        return None


def _settled(aws: Aws) -> bool:
    """True if the stack is whole. An earlier start that was interrupted may have left it under way: then wait, or clear it away."""
    deadline = time.monotonic() + 60
    while (status := _status(aws, STACK) or "").endswith("_IN_PROGRESS") and time.monotonic() < deadline:
        time.sleep(1)
    if status.endswith("_IN_PROGRESS"):
        aws.cloudformation.delete_stack(StackName=STACK)
    return status in _WHOLE


def _clear_bootstrap(aws: Aws) -> None:
    """Take away what an interrupted bootstrap left: a failed stack, and its bucket, which would be in the way of a new one."""
    if _status(aws, _TOOLKIT) is not None:
        aws.cloudformation.delete_stack(StackName=_TOOLKIT)
    s3 = aws.client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        if bucket["Name"].startswith("cdk-"):
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket["Name"]):
                for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                    s3.delete_object(Bucket=bucket["Name"], Key=item["Key"], VersionId=item["VersionId"])
            s3.delete_bucket(Bucket=bucket["Name"])


def _deployed_sources(aws: Aws) -> str:
    try:
        return aws.parameters.get_parameter(Name=_SOURCES)["Parameter"]["Value"]
    except ClientError:
        return ""


def _cdk(local: Local, console: Console, *arguments: str, cwd: Path = ROOT) -> None:
    """Run the CDK CLI in `cwd` (it synthesises where a cdk.json is): raw output to deploy.log, its counter to the console."""
    log = local.logs / "deploy.log"
    command = [str(node.cdk(local)), *arguments, "--output", str(local.home / "cdk.out"), "--ci", "--no-color", "--no-notices"]
    words: list[str] = []
    began = time.monotonic()
    with log.open("a") as raw:
        raw.write(f"$ cdk {' '.join(arguments)}\n")
        process = subprocess.Popen(
            ["node", *command],
            cwd=cwd,
            env=node.environment(local),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            for line in process.stdout or ():
                raw.write(line)
                raw.flush()
                words.append(line.rstrip())
                counter = _COUNTER.search(line)
                console.progress(f"{counter[1]} of {counter[2]} resources" if counter else "synthesising")
                if time.monotonic() - began > _DEPLOY_SECONDS:
                    raise Trouble(f"cdk {arguments[0]} did not end within {_DEPLOY_SECONDS // 60} minutes. Its output: {log}")
            code = process.wait(timeout=60)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(timeout=10)
            if process.stdout:
                process.stdout.close()
    if code:
        raise Trouble(
            f"cdk {arguments[0]} failed (exit code {code}):\n{_last_words(words)}\n"
            f"The whole output: {log}. Correct the cause and run the same command again; make clean starts from nothing."
        )


def _last_words(lines: list[str]) -> str:
    said = [line for line in lines if line.strip()]
    telling = [line for line in said if _BAD.search(line)] or said
    return "\n".join(f"    {line[:300]}" for line in list(dict.fromkeys(telling))[-8:])
