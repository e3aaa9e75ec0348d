"""Our networks in timm's registry: `timm.create_model("mobilenext_100")`.

The network of a chain is `timm.create_model("nas_chain", network="network.json")`.

`register` is called by `import nas.models`, and does nothing where timm is not installed (it comes
with the extra `sandglass-nas[timm]`). timm's own MobileNetV2 is left alone.
"""

import importlib.util
import warnings
from typing import Any

from torch import nn

from nas.errors import ConfigError
from nas.models.factory import MODEL_FAMILIES, build_network

CHAIN = "nas_chain"
"""timm's name of all networks of chains; which one is said by the setting `network`."""
_REGISTERED = ("mobilenext", "mobilenext_paper", "mobilenext_se")
_RENAMED = {
    "in_chans": "in_channels",
    "drop_rate": "dropout",
    "drop_path_rate": "drop_path_prob",
}
"""timm's settings and ours."""

default_cfgs: dict[str, Any] = {}
"""Where timm's `register_model` looks up input size and normalization of a model."""


def timm_names() -> dict[str, str]:
    """Return our names by timm's: {"mobilenext_075": "mobilenext_0.75", ...}."""
    return {
        f"{family}_{round(float(size) * 100):03d}": f"{family}_{size}"
        for family in _REGISTERED
        for size in MODEL_FAMILIES[family].sizes
    }


def register() -> bool:
    """Register the networks in timm, once; returns whether timm is there.

    Where timm is installed but cannot be imported, that is a warning and not an error: none of our
    own functions needs it.
    """
    if importlib.util.find_spec("timm") is None:
        return False
    try:
        from timm.models import generate_default_cfgs, is_model, register_model
    except ImportError as cause:
        warnings.warn(f"timm is installed but cannot be imported: {cause}", stacklevel=2)
        return False
    names = {**timm_names(), CHAIN: ""}
    new = {name: ours for name, ours in names.items() if not is_model(name)}
    default_cfgs.update(generate_default_cfgs({name: _config(ours) for name, ours in new.items()}))
    for name, ours in new.items():
        register_model(_entry_point(name, ours))
    return True


def _config(ours: str) -> dict[str, Any]:
    """Return how images are prepared: 224 x 224 from the center, ImageNet's mean and deviation."""
    return {
        "input_size": (3, 224, 224),
        "pool_size": (7, 7),
        "crop_pct": 0.875,
        "interpolation": "bicubic",
        "num_classes": 1000,
        "first_conv": "features.0.0",
        "classifier": "classifier.1",
        "custom_load": False,
        "paper_ids": "arXiv:2007.02269",
    }


def _entry_point(name: str, ours: str) -> Any:
    def create(pretrained: bool = False, **settings: Any) -> nn.Module:
        from timm.models import build_model_with_cfg

        if pretrained:
            raise ConfigError(
                f"{name}: this project publishes no weights; build it with pretrained=False and "
                "read a checkpoint with nas.models.load_weights"
            )
        return build_model_with_cfg(
            _Builder(ours),
            name,
            pretrained,
            feature_cfg={"feature_cls": "hook", "out_indices": (0, 1, 2, 3)},
            **settings,
        )

    create.__name__ = create.__qualname__ = name
    create.__doc__ = f"Build {ours or 'a network.json'}; see `nas.models.build_network`."
    return create


class _Builder:
    """What timm calls to build a network; translates its names of settings into ours."""

    def __init__(self, ours: str):
        self.ours = ours

    def __call__(self, num_classes: int = 1000, **settings: Any) -> nn.Module:
        ours = {_RENAMED.get(key, key): value for key, value in settings.items()}
        name = self.ours or ours.pop("network", None)
        if name is None:
            raise ConfigError(
                f"network: found none; give the path, as in create_model('{CHAIN}', "
                "network='network.json')"
            )
        model = build_network(str(name), num_classes=num_classes or 1, **ours)
        setattr(model, "num_classes", num_classes)  # noqa: B010  (timm reads it)
        if num_classes == 0:  # timm's way to ask for features
            model.classifier = nn.Identity()
        return model
