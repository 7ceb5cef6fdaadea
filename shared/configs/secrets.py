"""The secrets in a config's headers and Basic auth: masked for a reader, kept when a save leaves
them masked."""

from collections.abc import Mapping

from shared.configs.models import BasicAuth
from shared.errors import InvalidError
from shared.outbound.redaction import MASK, is_secret


def masked(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: MASK if is_secret(name, value) else value for name, value in headers.items()}


def kept_headers(new: Mapping[str, str], old: Mapping[str, str]) -> dict[str, str]:
    """`new`, with the values of `old` in place of masks. Raises InvalidError for a mask of a value
    that is not stored."""
    # An imported config that still lacks a secret holds the mask in its place.
    stored = {name.lower(): value for name, value in old.items() if value != MASK}
    for name, value in new.items():
        if value == MASK and name.lower() not in stored:
            raise InvalidError.at(
                f"headers.{name}", f"{MASK} stands for a stored value, and none is stored"
            )
    return {name: stored[name.lower()] if value == MASK else value for name, value in new.items()}


def kept_basic_auth(username: str, password: str | None, old: BasicAuth | None) -> BasicAuth:
    """A password that is left out or masked is the stored one. Raises InvalidError if none is."""
    if password is not None and password != MASK:
        return BasicAuth(username=username, password=password)
    if old is None or old.password == MASK:
        raise InvalidError.at("basicAuth.password", "is required, because none is stored")
    return BasicAuth(username=username, password=old.password)
