"""Getting rid of large folders without waiting for it."""

from __future__ import annotations

import os
import time
from pathlib import Path


def discard(folder: Path) -> None:
    """Put a folder out of the way at once; it is removed meanwhile, and what an earlier removal left with it. No error if it is not there.

    Every process of a function has its own copy of the layers: tens of thousands of files, which take some file systems half a minute.
    """
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}.gone-{os.getpid()}-{time.monotonic_ns()}"))
    gone = [str(each) for each in folder.parent.glob(f"{folder.name}.gone-*")]
    if gone:
        os.posix_spawnp("rm", ["rm", "-rf", "--", *gone], os.environ)
