"""From a request's body to a typed value: media types, forms and JSON.

Nothing here knows what a push is.
"""

import re
from binascii import a2b_qp
from itertools import islice
from typing import TypeVar

import msgspec

from hookrunner.errors import DeliveryError, MediaTypeError
from hookrunner.forges.request import Request

T = TypeVar("T")

_FORM = "application/x-www-form-urlencoded"
_PAYLOADS = re.compile(rb"(?:^|&)payload=([^&]*)")
_NOT_ENCODED = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_SLICE = 256 * 2**10
"""Bytes of a form that are decoded at once, in some 5 ms: others have their turn between."""


class AnyObject(msgspec.Struct):
    """A JSON object of which nothing is of interest."""


def json_text(request: Request, *, forms: bool = False) -> bytes:
    """The JSON text that a request carries: its body, or the field ``payload`` of a form.

    The charset is not looked at: JSON is UTF-8.

    Args:
        request: A request, proven or not.
        forms: The forge sends forms too.

    Raises:
        MediaTypeError: The body is compressed, or of a kind that the forge never sends.
        DeliveryError: The form does not have one field ``payload``.

    Source:
        RFC 8259 section 8.1 (UTF-8); RFC 6839 section 3.1 (``+json``)
    """
    encoding = (request.header("Content-Encoding") or "identity").strip().lower()
    if encoding != "identity":
        raise MediaTypeError("the body is compressed, and no forge does that")
    content_type = (request.header("Content-Type") or "").partition(";")[0].strip().lower()
    if forms and content_type == _FORM:
        return _form_payload(request.body)
    if content_type == "application/json" or (
        content_type.startswith("application/") and content_type.endswith("+json")
    ):
        return request.body
    wanted = "JSON or a form" if forms else "JSON"
    raise MediaTypeError(f"the body is not {wanted}", hint="set Content-Type: application/json")


def decode_object(text: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode a JSON object into a struct; fields that the struct does not have are skipped.

    Raises:
        DeliveryError: It is no JSON, no object, nested too deep, or a field has a wrong
            type; the message names the field where it is known.
    """
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        raise DeliveryError(f"the body has a wrong type: {error}") from error
    except UnicodeDecodeError as error:
        raise DeliveryError("the body is not UTF-8") from error
    except msgspec.DecodeError as error:
        raise DeliveryError(f"the body is not JSON: {error}") from error
    except RecursionError as error:
        raise DeliveryError("the body is nested too deep") from error


_ANY_OBJECT = msgspec.json.Decoder(AnyObject)


def check_object(text: bytes) -> None:
    """Make sure that a body nobody reads further is at least a JSON object.

    Raises:
        DeliveryError: It is something else.
    """
    decode_object(text, _ANY_OBJECT)


def _form_payload(body: bytes) -> bytes:
    found = list(islice(_PAYLOADS.finditer(body), 2))
    if len(found) != 1:
        raise DeliveryError("the form does not have one field payload")
    value = found[0][1]
    if _NOT_ENCODED.search(value):
        raise DeliveryError("the form's field payload is not URL-encoded")
    parts, start = [], 0
    while start < len(value):
        end = start + _SLICE
        if (cut := value.rfind(b"%", end - 2, end)) >= 0:
            end = cut
        parts.append(_unquoted(value[start:end]))
        start = end
    return b"".join(parts)


def _unquoted(value: bytes) -> bytes:
    """Undo the encoding of a form.

    Quoted-printable is the same with another sign, and is undone in C: this is asked for
    before anybody is known, where `urllib.parse` takes 5 s and 400 MB for 25 MB of signs.
    """
    for sign, instead in ((b"+", b" "), (b"=", b"=3D"), (b"%", b"=")):
        value = value.replace(sign, instead)
    return a2b_qp(value)
