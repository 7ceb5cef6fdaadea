"""Requests that nobody would send, made at random from those that somebody would."""

import json
from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from tests import factories

ODD_VALUES: list[Any] = [
    *(None, True, False, 0, -1, 2**63, 10**400, 1.5, -0.0, 1e308),
    *("", "\0", "\ud800", "\uffff", "é😀", "x" * 1000, "-1.00", "1e5", "2026-02-30T25:00:00Z"),
    *([], {}, [[]], [None] * 200, {"": ""}, {"a": {"b": {"c": []}}}, {"\ud800": 1}),
]
# Text that JSON does not know, or that reads otherwise than it looks.
ODD_TOKENS = [
    *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "01", "0x1", "1_000", "9" * 5000),
    *(
        '{"a":1,"a":2}',
        '{"event_type":"on_action","event_type":5}',
        "'a'",
        '"\\ud800"',
        '"\\u0000"',
    ),
    *("tru", "[1,]", "{,}", "/* no */", "", "[" * 2000, '{"a":' * 500, '"' + "\x01" + '"'),
]
CONTENT_TYPES = [
    "application/json",
    "application/json; charset=utf-8",
    "application/json; charset=utf-16",
    'APPLICATION/JSON;charset="no such"',
    "application/vnd.api+json",
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=latin-1",
    "multipart/form-data; boundary=b",
    "multipart/form-data",
    "multipart/form-data; boundary=" + "b" * 200,
    "text/plain",
    "text/plain; charset=shift_jis",
    "text/html",
    "application/octet-stream",
    "/",
    ";",
    "é",
    "",
]
USUAL_SEGMENTS = ["Lead", "__commerce_action__", "funnel_123", "1"]
SEGMENTS = [
    *(*USUAL_SEGMENTS, "__other__", "-1", "9" * 30, "%00", "%ff", "a%2Fb", "%", "é", ".."),
    *("%F0%9F%98%80", "x" * 300, "{a}", "<b>", "+"),
]
HEADERS = [
    "idempotency-key",
    "x-project-id",
    "user-agent",
    "webhook-id",
    "content-encoding",
    "accept",
]

Body = Callable[[Random], bytes]


def example(random: Random) -> Any:
    """What a client of one of the addresses sends."""
    tracking = ["node_execution", "on_action", "conversion_triggered", "custom_event_triggered"]
    made: list[Any] = [
        factories.event_json(random.choice(tracking)),
        factories.resource_json(),
        {"events": [factories.event_json(random.choice(tracking)) for _ in range(3)]},
        factories.lead_json(),
        factories.commerce_json(factories.purchase_json()),
    ]
    return random.choice(made)


def changed(random: Random, value: Any) -> Any:
    """`value` with something else in one place, or with a place more."""
    if isinstance(value, dict) and value and random.random() < 0.8:
        name = random.choice([*value, "odd", "workspace_id", "\0"])
        return value | {name: changed(random, value.get(name))}
    if isinstance(value, list) and value and random.random() < 0.8:
        place = random.randrange(len(value))
        return [*value[:place], changed(random, value[place]), *value[place + 1 :]]
    return random.choice(ODD_VALUES)


def nothing(random: Random) -> bytes:
    return b""


def noise(random: Random) -> bytes:
    return random.randbytes(random.choice([1, 2, 10, 100, 5000]))


def letters(random: Random) -> bytes:
    size = random.choice([1, 20, 500])
    return "".join(chr(random.randrange(0x20000)) for _ in range(size)).encode(
        errors="surrogatepass"
    )


def good_json(random: Random) -> bytes:
    return json.dumps(example(random)).encode()


def odd_json(random: Random) -> bytes:
    value = example(random)
    for _ in range(random.randint(1, 4)):
        value = changed(random, value)
    return json.dumps(value).encode()


def odd_token(random: Random) -> bytes:
    """A place of a good body holds what no JSON writer writes."""
    text = json.dumps(changed(random, example(random)) if random.random() < 0.5 else {"a": 1})
    parts = text.split(random.choice([":", ",", "{", "1"]), 1)
    return random.choice(ODD_TOKENS).join(parts).encode()


def damaged(random: Random) -> bytes:
    body, place = good_json(random), random.randrange(2000)
    junk = random.choice(
        [b"", b"\xff", b"\0", b"\xef\xbb\xbf", b'"', b"}", b"\\u", b"\xed\xa0\x80"]
    )
    return random.choice([body[:place], body[:place] + junk + body[place:], junk + body])


def other_encoding(random: Random) -> bytes:
    text = good_json(random).decode()
    return text.encode(random.choice(["utf-16", "utf-32", "utf-8-sig", "utf-7", "cp037"]))


def deep(random: Random) -> bytes:
    depth = random.choice([31, 32, 33, 1000, 50_000])
    opened, closed = random.choice([("[", "]"), ('{"a":', "}")])
    inside = opened * depth + "1" + (closed * depth if random.random() < 0.8 else "")
    return f'{{"event_type": "lead.created", "data": {inside}}}'.encode()


def large(random: Random) -> bytes:
    size = random.choice([200_000, 262_144, 300_000])
    return json.dumps(factories.event_json(tracking_fields={"a": "x" * size})).encode()


def form(random: Random) -> bytes:
    pairs = [
        (random.choice(SEGMENTS), random.choice(SEGMENTS)) for _ in range(random.randint(0, 9))
    ]
    return urlencode(pairs).encode() + random.choice([b"", b"&", b"&&=&a", b"%zz", b"=\xff"])


def multipart(random: Random) -> bytes:
    part = b'--b\r\nContent-Disposition: form-data; name="a"%s\r\n\r\n%s\r\n'
    file = random.choice([b"", b'; filename="f"', b"; filename*=utf-8''%ff", b"; name"])
    body = part % (file, random.randbytes(9)) * random.randint(0, 5)
    return body + random.choice([b"--b--", b"--b--\r\n", b"", b"--b", b"\r\n"])


# Good ones often enough that the way behind the checks is gone too.
BODIES: list[Body] = [
    *(good_json, good_json, odd_json, odd_json, odd_json, odd_token, odd_token, damaged, damaged),
    *(noise, letters, nothing, other_encoding, form, multipart),
]
RARE_BODIES: list[Body] = [deep, large]


def body(random: Random) -> bytes:
    kinds = RARE_BODIES if random.random() < 0.02 else BODIES
    return random.choice(kinds)(random)


def path(random: Random, template: str) -> str:
    """An address like `/v1/actions/<funnel_id>`, its parameters filled in."""
    segments = SEGMENTS if random.random() < 0.4 else USUAL_SEGMENTS
    parts = [
        random.choice(segments) if part.startswith("<") else part for part in template.split("/")
    ]
    return "/".join(parts) + random.choice(["", "", "", "/", "//"])


def query(random: Random) -> dict[str, str]:
    if random.random() < 0.7:
        return {}
    names = ["flux_hit", "flux_v", "redirect", "sig", "exp", "a", "", "é", "__proto__"]
    return {random.choice(names): quote(random.choice(SEGMENTS)) for _ in range(3)}


def headers(random: Random, good: dict[str, str]) -> dict[str, str]:
    """`good` are those that let a caller in; most requests have them."""
    sent = dict(good) | {"content-type": random.choice(CONTENT_TYPES)}
    if random.random() < 0.6:
        sent["content-type"] = "application/json"
    if random.random() < 0.2:
        sent[random.choice(HEADERS)] = random.choice([*SEGMENTS, "gzip", "\x7f", "a" * 129])
    if random.random() < 0.05:
        sent[random.choice([*good])] = random.choice(
            ["", "Bearer", "Basic !", "Bearer é", "x" * 600]
        )
    if random.random() < 0.05:
        del sent[random.choice([*sent])]
    return sent
