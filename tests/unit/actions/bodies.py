"""Bodies of forms, odd ones too: what each is read as, or how it is refused."""
# ruff: noqa: E501 - a row is a line
# fmt: off

from typing import Any, NamedTuple

from shared.actions.fields import MAX_FIELDS, MAX_NAME, MAX_VALUE
from shared.actions.forms import JSON, MAX_BODY_BYTES, MULTIPART, TEXT, URLENCODED

BOM = b"\xef\xbb\xbf"
FORM = f"{MULTIPART}; boundary=b"


class Refused(NamedTuple):
    """How a body is answered that is refused: the path of its field and a part of the message."""

    path: str
    message: str = ""


def part(name: str, value: bytes, *headers: str, filename: str | None = None) -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        disposition += f'; filename="{filename}"'
    return b"\r\n".join([b"--b", *map(str.encode, (disposition, *headers)), b"", value, b""])


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b--\r\n"


# Each row: what it is, the Content-Type, the body, and the fields or the refusal.
ACCEPTED: list[tuple[str, str, bytes, dict[str, Any]]] = [
    # ── application/x-www-form-urlencoded ──
    ("a form", URLENCODED, b"email=a%40b.example&name=Alice+M", {"email": "a@b.example", "name": "Alice M"}),
    ("nothing", URLENCODED, b"", {}),
    ("an empty value", URLENCODED, b"a=&b=1", {"a": "", "b": "1"}),
    ("a name alone", URLENCODED, b"a&b", {"a": "", "b": ""}),
    ("empty pairs", URLENCODED, b"&&a=1&&", {"a": "1"}),
    ("a value with =", URLENCODED, b"a=b=c", {"a": "b=c"}),
    ("a semicolon, which separates nothing", URLENCODED, b"a=1;b=2", {"a": "1;b=2"}),
    ("repeated names", URLENCODED, b"c=red&c=blue&c=", {"c": "red, blue, "}),
    ("numbers, which are text", URLENCODED, b"n=1&b=true&z=null", {"n": "1", "b": "true", "z": "null"}),
    ("brackets, which nest nothing", URLENCODED, b"a[b][]=1&a%5Bb%5D%5B%5D=2", {"a[b][]": "1, 2"}),
    ("dots in a name", URLENCODED, b"a.b=1", {"a.b": "1"}),
    ("UTF-8", URLENCODED, b"n=M%C3%BCller", {"n": "Müller"}),
    ("UTF-8, not escaped", URLENCODED, "n=Müller".encode(), {"n": "Müller"}),
    ("a byte order mark", URLENCODED, BOM + b"a=1", {"a": "1"}),
    ("an emoji", URLENCODED, b"e=%F0%9F%8E%89", {"e": "🎉"}),
    ("line breaks of a text area", URLENCODED, b"t=a%0D%0Ab%09c", {"t": "a\r\nb\tc"}),
    ("a vertical tab, as word processors paste", URLENCODED, b"t=a%0Bb", {"t": "a\x0bb"}),
    ("a broken escape, which stays", URLENCODED, b"a=%zz%4", {"a": "%zz%4"}),
    ("a charset", f"{URLENCODED}; charset=windows-1252", b"n=M%FCller+%80", {"n": "Müller €"}),
    ("Latin-1, as browsers mean it", f"{URLENCODED};charset=ISO-8859-1", b"n=%80", {"n": "€"}),
    ("a charset in quotes", f'{URLENCODED}; charset="Shift_JIS"', b"n=%93%FA%96%7B", {"n": "日本"}),
    ("a charset and an opposing byte order mark", f"{URLENCODED}; charset=latin1", BOM + b"\xc3\xbc=1", {"ü": "1"}),
    ("an empty charset", f"{URLENCODED}; charset=", b"n=%C3%BC", {"n": "ü"}),
    ("a type in capitals", "Application/X-WWW-Form-URLEncoded ; Charset=UTF-8", b"a=1", {"a": "1"}),
    ("as many fields as may be", URLENCODED, b"&".join(b"f%d=" % n for n in range(MAX_FIELDS)), {f"f{n}": "" for n in range(MAX_FIELDS)}),
    ("the longest name", URLENCODED, b"n" * MAX_NAME + b"=1", {"n" * MAX_NAME: "1"}),
    ("the longest value", URLENCODED, b"v=" + b"x" * MAX_VALUE, {"v": "x" * MAX_VALUE}),
    # ── multipart/form-data ──
    ("a form", FORM, form(part("a", b"1"), part("b", b"2")), {"a": "1", "b": "2"}),
    ("no part", FORM, b"--b--\r\n", {}),
    ("nothing", FORM, b"", {}),
    ("an empty value", FORM, form(part("a", b"")), {"a": ""}),
    ("a file, whose name stays", FORM, form(part("cv", b"\x89PNG\0\xff", "Content-Type: image/png", filename="cv.png")), {"cv": "cv.png"}),
    ("a file that was not chosen", FORM, form(part("cv", b"", "Content-Type: application/octet-stream", filename="")), {"cv": ""}),
    ("files of one name", FORM, form(part("f", b"1", filename="a"), part("f", b"2", filename="b")), {"f": "a, b"}),
    ("repeated names", FORM, form(part("c", b"red"), part("c", b"blue")), {"c": "red, blue"}),
    ("a file's name in UTF-8", FORM, form(part("f", b"", filename="Lebenslauf Müller.pdf")), {"f": "Lebenslauf Müller.pdf"}),
    ("line breaks", FORM, form(part("t", b"a\r\n\r\n--not\r\nb")), {"t": "a\r\n\r\n--not\r\nb"}),
    ("a part with a charset", FORM, form(part("n", b"M\xfcller", "Content-Type: text/plain; charset=iso-8859-1")), {"n": "Müller"}),
    ("a form with a charset", f"{FORM}; charset=windows-1252", form(part("n", b"M\xfcller")), {"n": "Müller"}),
    ("a part that is JSON, which is text", FORM, form(part("j", b'{"a": 1}', "Content-Type: application/json")), {"j": '{"a": 1}'}),
    ("a byte order mark", FORM, BOM + form(part("a", b"1")), {"a": "1"}),
    ("a quoted name", FORM, form(part('say \\"hi\\"', b"1")), {'say "hi"': "1"}),
    ("lines before and after", FORM, b"\r\n" + form(part("a", b"1")) + b"epilogue", {"a": "1"}),
    ("a boundary in quotes", f'{MULTIPART}; boundary="b"', form(part("a", b"1")), {"a": "1"}),
    ("a plain transfer encoding", FORM, form(part("a", b"1", "Content-Transfer-Encoding: 8BIT")), {"a": "1"}),
    # ── text/plain ──
    ("lines", TEXT, b"email=a@b.example\r\nname=Alice\r\n", {"email": "a@b.example", "name": "Alice"}),
    ("colons and any line end", TEXT, b"a: 1\nb:\t2\rc:\n", {"a": "1", "b": "2", "c": ""}),
    ("both separators", TEXT, b"url=https://a.example/?x=1\ntime: 10:30 = noon", {"url": "https://a.example/?x=1", "time": "10:30 = noon"}),
    ("a colon within a name", TEXT, b"utm:source=mail", {"utm:source": "mail"}),
    ("blanks around", TEXT, b"  a = 1  \n\n   \n b : 2", {"a": "1", "b": "2"}),
    ("repeated names", TEXT, b"a=1\na: 2", {"a": "1, 2"}),
    ("escapes, which mean nothing", TEXT, b"a=%20+", {"a": "%20+"}),
    ("a byte order mark", f"{TEXT}; charset=utf-8", BOM + "a=ü".encode(), {"a": "ü"}),
    ("a charset", f"{TEXT}; charset=koi8-r", "имя=Анна".encode("koi8-r"), {"имя": "Анна"}),
    ("blank lines", TEXT, b"\r\n \r\n", {}),
    ("a line separator of Unicode, which ends no line", TEXT, "a=1\u2028b".encode(), {"a": "1\u2028b"}),
    ("JSON, as beacons send it", f"{TEXT};charset=UTF-8", b' {"a": 1, "b": null}', {"a": 1, "b": None}),
    # ── application/json ──
    ("every plain kind", JSON, b'{"s":"","i":1,"f":1.5,"t":true,"n":null}', {"s": "", "i": 1, "f": 1.5, "t": True, "n": None}),
    ("nothing", JSON, b"", {}),
    ("an empty object", JSON, b"{}", {}),
    ("repeated names, of which the last counts", JSON, b'{"a":1,"a":2}', {"a": 2}),
    ("a byte order mark", JSON, BOM + b'{"a":1}', {"a": 1}),
    ("a charset", f"{JSON}; charset=windows-1252", b'{"a":"\xfc"}', {"a": "ü"}),
    ("an escaped pair", JSON, b'{"a":"\\ud83c\\udf89"}', {"a": "🎉"}),
    ("a large whole number", JSON, b'{"a":123456789012345678901234567890}', {"a": 123456789012345678901234567890}),
    # ── no Content-Type ──
    ("JSON, as it looks", "", b' \r\n{"a":1}', {"a": 1}),
    ("JSON after a byte order mark", "", BOM + b'{"a":1}', {"a": 1}),
    ("a form, as most are", "", b"a=1&b=2", {"a": "1", "b": "2"}),
]

REFUSED: list[tuple[str, str, bytes, Refused]] = [
    # ── application/x-www-form-urlencoded ──
    ("a NUL", URLENCODED, b"a=%00", Refused("a", "NUL")),
    ("a NUL in a name", URLENCODED, b"a%00=1", Refused("field 1", "control character")),
    ("a line break in a name", URLENCODED, b"x=1&a%0Ab=1", Refused("field 2", "control character")),
    ("no name", URLENCODED, b"x=1&=1", Refused("field 2", "no name")),
    ("a name that is too long", URLENCODED, b"n" * (MAX_NAME + 1), Refused("field 1", "128")),
    ("a value that is too long", URLENCODED, b"v=" + b"x" * (MAX_VALUE + 1), Refused("v", "10000")),
    ("values too long together", URLENCODED, b"&".join([b"v=" + b"x" * 6000] * 2), Refused("v", "10000")),
    ("too many fields", URLENCODED, b"&".join([b"a=1"] * (MAX_FIELDS + 1)), Refused("", "200")),
    ("a megabyte of separators", URLENCODED, b"&" * MAX_BODY_BYTES, Refused("", "200")),
    ("bytes that are no UTF-8", URLENCODED, b"x=1&n=M%FCller", Refused("n", "not utf-8: see its byte 1")),
    ("a name that is no UTF-8", URLENCODED, b"%FC=1", Refused("field 1", "not utf-8")),
    ("half of a surrogate pair", URLENCODED, b"a=%ED%A0%80", Refused("a", "not utf-8")),
    ("an overlong encoding", URLENCODED, b"a=%C0%80", Refused("a", "not utf-8")),
    ("an unknown charset", f"{URLENCODED}; charset=klingon", b"a=1", Refused("Content-Type", "klingon")),
    ("a charset that is a compression", f"{URLENCODED}; charset=zlib", b"a=1", Refused("Content-Type", "zlib")),
    ("UTF-16", f"{URLENCODED}; charset=utf-16", b"a=1", Refused("Content-Type", "utf-16")),
    ("a long charset", f"{URLENCODED}; charset={'x' * 999}", b"a=1", Refused("Content-Type", "x" * 40 + " is")),
    ("bytes that Shift_JIS has not", f"{URLENCODED}; charset=sjis", b"n=%81", Refused("n", "cp932")),
    ("a system key that comes twice", URLENCODED, b"flux_hit=1&flux_hit=2", Refused("flux_hit", "once")),
    # ── multipart/form-data ──
    ("no boundary", MULTIPART, form(part("a", b"1")), Refused("Content-Type", "no boundary")),
    ("an empty boundary", f'{MULTIPART}; boundary=""', form(part("a", b"1")), Refused("Content-Type", "no boundary")),
    ("a boundary that is too long", f"{MULTIPART}; boundary={'b' * 257}", b"-", Refused("Content-Type", "too long")),
    ("another boundary", f"{MULTIPART}; boundary=c", form(part("a", b"1")), Refused("", "broken at byte 2")),
    ("no end", FORM, part("a", b"1"), Refused("", "ends before")),
    ("an end in a header", FORM, b"--b\r\nContent-Dispo", Refused("", "ends before")),
    ("no form at all", FORM, b"a=1&b=2", Refused("", "broken at byte 0")),
    ("no Content-Disposition", FORM, form(b"--b\r\nContent-Type: text/plain\r\n\r\n1\r\n"), Refused("part 1", "Content-Disposition")),
    ("an attachment", FORM, form(b"--b\r\nContent-Disposition: attachment; name=a\r\n\r\n1\r\n"), Refused("part 1")),
    ("a part without a name", FORM, form(part("a", b"1"), b"--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n"), Refused("part 2")),
    ("an empty name", FORM, form(part("", b"1")), Refused("field 1", "no name")),
    ("a header that is none", FORM, form(b"--b\r\n\x00: 1\r\n\r\n1\r\n"), Refused("", "broken at byte 5")),
    ("a header without end", FORM, b"--b\r\nA: " + b"x" * 9000, Refused("", "broken")),
    ("too many headers", FORM, form(b"--b\r\n" + b"A: 1\r\n" * 9 + b"\r\n1\r\n"), Refused("", "broken")),
    ("bare line feeds", FORM, form(part("a", b"1")).replace(b"\r", b""), Refused("", "broken")),
    ("a value that is no UTF-8", FORM, form(part("n", b"M\xfcller")), Refused("n", "not utf-8")),
    ("a part of an unknown charset", FORM, form(part("n", b"1", "Content-Type: text/plain; charset=x")), Refused("Content-Type", "x is not known")),
    ("a part in base64", FORM, form(part("n", b"MQ==", "Content-Transfer-Encoding: base64")), Refused("n", "Transfer")),
    ("a NUL", FORM, form(part("n", b"\0")), Refused("n", "NUL")),
    ("too many parts", FORM, form(*[part("a", b"1")] * (MAX_FIELDS + 1)), Refused("", "200")),
    # ── text/plain ──
    ("a line that is no pair", TEXT, b"a=1\nhello there\n", Refused("line 2", "key=value")),
    ("a colon with nothing after it", TEXT, b"a:1", Refused("line 1", "key=value")),
    ("a line without a name", TEXT, b"=1", Refused("field 1", "no name")),
    ("bytes that are no UTF-8", TEXT, b"a=\xfc", Refused("body", "see its byte 2")),
    ("UTF-16 with its mark", TEXT, "a=1".encode("utf-16"), Refused("body", "see its byte 0")),
    ("a NUL", TEXT, b"a=\0", Refused("a", "NUL")),
    ("too many lines", TEXT, b"a=1\n" * (MAX_FIELDS + 1), Refused("", "200")),
    # ── application/json ──
    ("an object within", JSON, b'{"a":{"b":1}}', Refused("a", "nested")),
    ("an array within", JSON, b'{"x":1,"a":[]}', Refused("a", "nested")),
    ("an array", JSON, b'[{"a":1}]', Refused("", "object")),
    ("a string", JSON, b'"a=1"', Refused("", "object")),
    ("blanks", JSON, b"  ", Refused("", "empty")),
    ("a comment", JSON, b'{"a":1 // one\n}', Refused("", "line 1, column 8")),
    ("no end", JSON, b'{"a":', Refused("", "not JSON")),
    ("NaN", JSON, b'{"a":NaN}', Refused("", "NaN")),
    ("a number without end", JSON, b'{"a":1e999}', Refused("", "too large")),
    ("half of a pair", JSON, b'{"a":"\\ud800"}', Refused("", "surrogate")),
    ("a NUL", JSON, b'{"a":"\\u0000"}', Refused("a", "NUL")),
    ("a NUL in a name", JSON, b'{"\\u0000":1}', Refused("field 1", "control character")),
    ("no name", JSON, b'{"":1}', Refused("field 1", "no name")),
    ("a long nested name", JSON, b'{"' + b"n" * 9999 + b'":[]}', Refused("n" * 128, "nested")),
    ("deep nesting", JSON, b'{"a":' + b"[" * 100_000, Refused("", "")),
    ("bytes that are no UTF-8", JSON, b'{"a":"\xfc"}', Refused("body", "see its byte 6")),
]
