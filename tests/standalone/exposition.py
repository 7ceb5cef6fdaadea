"""A strict reader of Prometheus' text format.

Source: Prometheus, "Exposition formats", text-based format.
"""

import re
from typing import NamedTuple

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
_SAMPLE = re.compile(rf"({_NAME})(?:\{{({_LABEL}(?:,{_LABEL})*)\}})? (\S+)")
_TYPE = re.compile(rf"# TYPE ({_NAME}) (counter|gauge|histogram)")
_PARTS = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
_ESCAPED = {r"\\": "\\", r"\"": '"', r"\n": "\n"}

Labels = frozenset[tuple[str, str]]


class Family(NamedTuple):
    kind: str
    samples: dict[tuple[str, Labels], float]

    def of(self, part: str = "", **labels: str) -> float:
        """The one sample that has these labels, perhaps among others."""
        (value,) = (
            value
            for (name, told), value in self.samples.items()
            if name == part and told >= labels.items()
        )
        return value


def read(text: str) -> dict[str, Family]:
    """The families by name. Raises ValueError for whatever a reader may refuse."""
    if text and not text.endswith("\n"):
        raise ValueError("The last line has no end.")
    families: dict[str, Family] = {}
    name = ""
    for line in text.split("\n")[:-1]:
        if (declared := _TYPE.fullmatch(line)) is not None:
            name = declared[1]
            if name in families:
                raise ValueError(f"{name} is declared twice.")
            families[name] = Family(declared[2], {})
        elif name:
            _add(line, name, families[name])
        else:
            raise ValueError(f"{line!r} is before any TYPE.")
    for name, family in families.items():
        if family.kind == "histogram":
            _check_histogram(name, family)
    return families


def _add(line: str, name: str, family: Family) -> None:
    sample = _SAMPLE.fullmatch(line)
    if sample is None or not sample[1].startswith(name):
        raise ValueError(f"{line!r} is no sample of {name}.")
    part, value = sample[1].removeprefix(name), float(sample[sample.lastindex or 0])
    if part not in _PARTS[family.kind]:
        raise ValueError(f"{line!r} is no part of a {family.kind}.")
    pairs = [
        (label, re.sub(r'\\[\\"n]', lambda found: _ESCAPED[found[0]], text))
        for label, text in re.findall(_LABEL, sample[2] or "")
    ]
    labels = frozenset(pairs)
    if len(dict(pairs)) != len(pairs) or (part, labels) in family.samples:
        raise ValueError(f"{line!r} is there twice, or has a label twice.")
    family.samples[part, labels] = value


def _check_histogram(name: str, family: Family) -> None:
    """Buckets grow with their bounds, and the last one holds them all."""
    buckets: dict[Labels, list[tuple[float, float]]] = {}
    for (part, labels), value in family.samples.items():
        if part == "_bucket":
            (bound,) = (text for label, text in labels if label == "le")
            others = labels - {("le", bound)}
            buckets.setdefault(others, []).append((float(bound), value))
    for labels, found in buckets.items():
        counts = [count for _, count in sorted(found)]
        if counts != sorted(counts) or max(found)[0] != float("inf"):
            raise ValueError(f"{name}: the buckets of {dict(labels)} do not grow to +Inf.")
        if counts[-1] != family.samples["_count", labels] or ("_sum", labels) not in family.samples:
            raise ValueError(f"{name}: the count of {dict(labels)} is not that of +Inf.")
