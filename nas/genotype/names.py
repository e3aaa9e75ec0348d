"""Names that other codes have for the operators of this project.

docs/genotypes.md lists them. They are replaced in texts of other codes only: genotype.json has the
names of this project.
"""

import logging
import re

_log = logging.getLogger(__name__)

OTHER_NAMES: dict[str, str] = {
    "zero": "none",
    "zeroize": "none",
    "skip": "skip_connect",
    "skipconnect": "skip_connect",
    "skip_connection": "skip_connect",
    "identity": "skip_connect",
    "maxpool": "max_pool_3x3",
    "maxpool_3x3": "max_pool_3x3",
    "avgpool": "avg_pool_3x3",
    "avgpool_3x3": "avg_pool_3x3",
    "sepconv3x3": "sep_conv_3x3",
    "sepconv5x5": "sep_conv_5x5",
    "sepconv7x7": "sep_conv_7x7",
    "sepconv_3x3": "sep_conv_3x3",
    "sepconv_5x5": "sep_conv_5x5",
    "sepconv_7x7": "sep_conv_7x7",
    "dua_sepc_3x3": "sep_conv_3x3",
    "dua_sepc_5x5": "sep_conv_5x5",
    "dilconv3x3": "dil_conv_3x3",
    "dilconv5x5": "dil_conv_5x5",
    "dilconv_3x3": "dil_conv_3x3",
    "dilconv_5x5": "dil_conv_5x5",
    "dil_sepc_3x3": "dil_conv_3x3",
    "dil_sepc_5x5": "dil_conv_5x5",
    "conv_1x7_7x1": "conv_7x1_1x7",
}
"""The name here for each name elsewhere, both in lower case and with underscores."""


def name_here(name: str) -> str:
    """Return the name that this project has for an operator of another code.

    Spaces, hyphens and plus signs become underscores; a name that is not in the table stays as it
    is, so that an operator of a plug-in can have it.
    """
    plain = re.sub(r"[ +-]+", "_", name.strip())
    here = OTHER_NAMES.get(plain.lower(), plain)
    if here != name:
        _log.warning("read the operator %r as %s", name, here)
    return here
