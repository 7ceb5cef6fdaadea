"""Bytes to text, by the charset that a request names.

Source of the labels: WHATWG Encoding Standard, "Names and labels". UTF-16 is left out: no browser
sends a form in it.
"""

import codecs

from shared.errors import InvalidError

UTF_8 = "utf-8"
_MAX_LABEL = 40
_MAX_PLACE = 128

_LABELS = {
    UTF_8: "utf-8 utf8 unicode-1-1-utf-8",
    "cp1252": "windows-1252 cp1252 iso-8859-1 iso8859-1 iso_8859-1 latin1 latin-1 us-ascii ascii",
    "cp1254": "windows-1254 cp1254 iso-8859-9 latin5",
    "cp874": "windows-874 iso-8859-11 tis-620",
    "mac-roman": "macintosh x-mac-roman",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "gbk": "gbk gb2312 x-gbk",
    "gb18030": "gb18030",
    "big5hkscs": "big5 big5-hkscs x-x-big5",
    "cp932": "shift_jis shift-jis sjis windows-31j ms_kanji",
    "euc-jp": "euc-jp x-euc-jp",
    "iso2022-jp": "iso-2022-jp",
    "cp949": "euc-kr ks_c_5601-1987 windows-949",
}
for _part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16):
    _LABELS[f"iso8859-{_part}"] = f"iso-8859-{_part}"
for _page in (1250, 1251, 1253, 1255, 1256, 1257, 1258):
    _LABELS[f"cp{_page}"] = f"windows-{_page} cp{_page}"
# Python's own table has entries that are no charsets, such as zlib and punycode.
_CODECS = {label: codec for codec, labels in _LABELS.items() for label in labels.split()}


def codec_of(label: str) -> str:
    """The codec of a charset; without a label, the codec of UTF-8. Raises InvalidError."""
    codec = _CODECS.get(label.strip().lower() or UTF_8)
    if codec is None:
        shown = label.strip()[:_MAX_LABEL]
        raise InvalidError.at("Content-Type", f"the charset {shown} is not known; send UTF-8")
    return codec


def decode(content: bytes, codec: str, place: str) -> str:
    """The text. A byte order mark is removed and means UTF-8, whatever the codec.

    Raises InvalidError that names `place` if the bytes are not valid in the charset.
    """
    if content.startswith(codecs.BOM_UTF8):
        content, codec = content.removeprefix(codecs.BOM_UTF8), UTF_8
    try:
        return content.decode(codec)
    except UnicodeDecodeError as error:
        message = f"is not {codec}: see its byte {error.start}"
        raise InvalidError.at(place[:_MAX_PLACE], message) from None
