"""What a result depends on in addition to its settings: versions, hardware, commit, command."""

import datetime
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import torch
import torchvision

import nas


def describe_environment(device: torch.device) -> dict[str, Any]:
    """Return the content of env.json.

    Bit-identical results require the same content, but for `started`.
    """
    on_gpu = device.type == "cuda"
    return {
        "nas": nas.__version__,
        "commit": current_commit(),
        "commit_date": commit_date(),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "numpy": numpy.__version__,
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "num_cpus": os.cpu_count(),
        "num_threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if on_gpu else "cpu",
        "cuda": torch.version.cuda if on_gpu else None,
        "cudnn": torch.backends.cudnn.version() if on_gpu else None,
    }


def current_commit() -> str | None:
    """Return the commit of this checkout, with "-dirty" if files differ from it.

    None if the package is not run from a checkout.
    """
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return f"{commit}-dirty" if commit and changes else commit


def commit_date() -> str | None:
    """Return when the commit of this checkout was made, in ISO 8601, or None as above."""
    return _git("show", "--no-patch", "--format=%cI")


def _git(*arguments: str) -> str | None:
    root = Path(nas.__file__).parent.parent
    if not (root / ".git").exists():
        return None
    try:
        result = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def cpu_name() -> str:
    """Return the name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
