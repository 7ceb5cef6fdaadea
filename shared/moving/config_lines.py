"""A webhook config as a line of an export, and the config that a line makes."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from shared.apis.funnelflux import mapping
from shared.configs.models import BasicAuth, Listing, WebhookConfig
from shared.dialects import DIALECTS
from shared.errors import ConflictError, InvalidError
from shared.moving.lines import ConfigLine
from shared.outbound.redaction import MASK

# A line for a known config may not change these.
_LASTING = ("dialect", "managed_by", "external_id", "listing")
# A line for a known config leaves these as they are stored.
_OWN = ("secret", "old_secrets", "created_at", "updated_at", "deleted_at", "version")
_NOT_MOVED = {"warnings", "updatedAt"}


class Moved(NamedTuple):
    """The config that a line makes.

    `missing` names the fields whose secrets are not known here. Until they are saved, the config is
    disabled and its deliveries are held.
    """

    config: WebhookConfig
    missing: tuple[str, ...]


def written(config: WebhookConfig) -> dict[str, Any]:
    """The fields of the line, with masked secrets."""
    values = mapping.full(config, ()).model_dump(
        mode="json", exclude_none=True, exclude_defaults=False, exclude=_NOT_MOVED
    )
    listing = config.listing and config.listing.model_dump(exclude={"name"}, exclude_none=True)
    own = {"externalId": config.external_id, "listing": listing}
    return values | {name: value for name, value in own.items() if value is not None}


def read(line: ConfigLine, workspace_id: str, now: int, old: WebhookConfig | None) -> Moved:
    """The config to store; secrets that are masked in the line are taken from `old`.

    Raises ConflictError if `old` has another dialect, owner, external id or listing; InvalidError
    for a listing that does not go with the dialect.
    """
    plain = {name: value for name, value in line.headers.items() if value != MASK}
    bare = line.model_copy(update={"headers": plain, "basicAuth": None})
    headers, basic_auth = _headers(line, old), _basic_auth(line, old)
    missing = tuple(_missing(headers, basic_auth))
    is_disabled = line.disabledReason is not None and not line.enabled
    config = mapping.created(bare, workspace_id, now).model_copy(
        update={
            "headers": headers,
            "basic_auth": basic_auth,
            "enabled": line.enabled and not missing,
            "disabled_reason": line.disabledReason if is_disabled else None,
            "disabled_at": line.disabledAt if is_disabled else None,
            "managed_by": line.managedBy,
            "external_id": line.externalId,
            "listing": _listing(line),
            "created_at": now if line.createdAt is None else line.createdAt,
        }
    )
    return Moved(config if old is None else _in_place_of(old, config), missing)


def is_same(old: WebhookConfig, new: WebhookConfig) -> bool:
    ours = {"updated_at", "version"}
    return old.model_dump(exclude=ours) == new.model_dump(exclude=ours)


def _in_place_of(old: WebhookConfig, new: WebhookConfig) -> WebhookConfig:
    for name in _LASTING:
        if getattr(old, name) != getattr(new, name):
            raise ConflictError(
                f"The config {old.id} is here with another {name}, which stays. Delete it first."
            )
    own = {name: getattr(old, name) for name in _OWN}
    own |= {"updated_at": new.updated_at, "version": old.version + 1}
    return new.model_copy(update=own)


def _headers(line: ConfigLine, old: WebhookConfig | None) -> dict[str, str]:
    stored = {name.lower(): value for name, value in (old.headers if old else {}).items()}
    return {
        name: stored.get(name.lower(), MASK) if value == MASK else value
        for name, value in line.headers.items()
    }


def _basic_auth(line: ConfigLine, old: WebhookConfig | None) -> BasicAuth | None:
    if (given := line.basicAuth) is None:
        return None
    if given.password not in (None, MASK):
        return BasicAuth(username=given.username, password=str(given.password))
    known = old.basic_auth if old else None
    is_its = known is not None and known.username == given.username
    password = known.password if known is not None and is_its else MASK
    return BasicAuth(username=given.username, password=password)


def _missing(headers: dict[str, str], basic_auth: BasicAuth | None) -> Iterator[str]:
    yield from (f"headers.{name}" for name, value in headers.items() if value == MASK)
    if basic_auth is not None and basic_auth.password == MASK:
        yield "basicAuth.password"


def _listing(line: ConfigLine) -> Listing | None:
    own = DIALECTS[line.dialect].listing
    if line.listing is None:
        if own is not None:
            raise InvalidError.at("listing", f"is required in the dialect {line.dialect}")
        return None
    if own is None and line.dialect != "flowestate":
        raise InvalidError.at("listing", f"there is none in the dialect {line.dialect}")
    name = own or f"{line.dialect}/{line.managedBy}"
    return Listing(name=name, position=line.listing.position, claim=_claim(line))


def _claim(line: ConfigLine) -> str | None:
    claim = None if line.listing is None else line.listing.claim
    if claim is not None and claim.startswith("ID#") and claim != f"ID#{line.externalId}":
        raise InvalidError.at("listing.claim", "is not that of the externalId")
    return claim
