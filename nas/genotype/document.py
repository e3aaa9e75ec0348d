"""The JSON documents of results, genotype.json and network.json: versioned and read strictly."""

import json
import math
from collections.abc import Mapping
from typing import Any

from nas.errors import NasError, shown

MAX_BYTES = 1 << 20


def write_document(document: Mapping[str, Any], error: type[NasError]) -> str:
    """Write a JSON object, one key a line.

    Raises:
        NasError: (as `error`) a number is not finite, which JSON cannot say.
    """
    rows = [f"{json.dumps(key)}: {_dumps(value, key, error)}" for key, value in document.items()]
    return "{\n " + ",\n ".join(rows) + "\n}\n"


def read_document(
    text: str, where: str, error: type[NasError], *, what: str, format: str, version: int
) -> dict[str, Any]:
    """Read a JSON object of a format and version.

    Args:
        text: The JSON document, at most 1 MiB.
        where: Its name, for messages.
        error: The class to raise.
        what: What it describes, such as "genotype"; a search writes it to WHAT.json.
        format: What its key `format` must say.
        version: What its key `version` must say.

    Raises:
        NasError: (as `error`) the text is cut short, has a key twice, or is of another format or
            version.
    """
    if len(text) > MAX_BYTES:
        raise error(f"{where}: {len(text)} characters; a {what} is under {MAX_BYTES}")

    def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        document = {}
        for key, value in pairs:
            if key in document:
                raise error(f"{where}: the key {shown(key)} is there twice")
            document[key] = value
        return document

    def finite(number: str) -> float:
        if not math.isfinite(float(number)):
            raise error(f"{where}: {number} is not a finite number")
        return float(number)

    try:
        document = json.loads(
            text, object_pairs_hook=without_repeats, parse_float=finite, parse_constant=finite
        )
    except (ValueError, RecursionError) as cause:
        raise error(
            f"{where}: not a whole JSON document ({cause}); was the file cut short? "
            f"A search writes {what}.json at its end"
        ) from cause
    if not isinstance(document, dict) or document.get("format") != format:
        raise error(f'{where}: expected a JSON object with "format": "{format}"')
    found = document.get("version")
    if type(found) is not int or found != version:
        raise error(
            f"{where}: version {shown(found)}; this release reads version {version}; "
            "install the release that wrote it"
        )
    return document


def _dumps(value: Any, key: str, error: type[NasError]) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError as cause:
        raise error(f"{key}: cannot be written as JSON: {cause}") from cause
