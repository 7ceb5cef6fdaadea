"""Which headers of a config are secrets: no read shows their values, and no log keeps them."""

import re

_NAME = re.compile(r"auth|token|secret|key|password|cookie|signature|credential", re.I)
_VALUE = re.compile(r"(bearer|basic|token)\s|eyJ[\w-]+\.|(sk|pk|whsec|fh)_", re.I)


def is_secret(name: str, value: str) -> bool:
    return bool(_NAME.search(name) or _VALUE.match(value))
