"""The packages of the extra `deploy`, which nothing else in the project needs."""

from importlib.util import find_spec

from nas.errors import DeployError

PACKAGES = ("onnx", "onnxruntime", "onnxscript")


def check_extra() -> None:
    """Raise DeployError where a package of the extra is not installed."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise DeployError(
            f"{', '.join(missing)}: not installed; install the extra: "
            "pip install 'sandglass-nas[deploy]', or pip install -e '.[deploy]' in a checkout"
        )
