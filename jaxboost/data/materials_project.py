"""Structures of the Materials Project by id, through its API: few requests, patient ones, none without a key.

What is asked is what the project's own client asks (`mp-api`): `GET /materials/summary/` with `material_ids`, comma
separated, `_fields` and `_limit`, the key in the header `X-API-KEY`; the answer holds a list under `data`. `id_format`
and the alphabetical ids are described at https://docs.materialsproject.org/data-production/identifiers.
**This has been tried against a server of the tests, never against the live one.**
"""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

from jaxboost import __version__
from jaxboost.errors import InputError

URL = "https://api.materialsproject.org"
KEY_PAGE = "https://next-gen.materialsproject.org/api"
KEY_VARIABLE = "MP_API_KEY"

_LARGEST = 1 << 28  # bytes of an answer; a hundred structures have some 500 kB
_OWN_MACHINE = ("127.0.0.1", "localhost", "::1")
_LEGACY = re.compile(r"(?:(\w+)-)?([a-z]+)")


class Unreachable(InputError):
    """The server did not answer, however often it was asked; what came before is kept."""


@dataclass(frozen=True)
class MaterialsProject:
    """How the API is asked.

    Attributes:
      key: of an account; it stands in no message.
      url: where the API is.
      batch: ids a request. The address of a request grows with it: 100 take about 1,100 characters, and the project's
        own client keeps below 2,000.
      timeout: seconds without an answer before a request counts as failed.
      attempts: how often a request is made at most.
      first_wait: seconds before the second attempt; each later wait is twice the one before.
      longest_wait: seconds; where the server asks for more (`Retry-After`), it is not asked again.

    Raises:
      InputError: the key is no key, or would be sent to another machine without encryption.
    """

    key: str = field(repr=False)
    url: str = URL
    batch: int = 100
    timeout: float = 60.0
    attempts: int = 6
    first_wait: float = 2.0
    longest_wait: float = 300.0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[!-~]+", self.key):
            raise InputError(
                f"{KEY_VARIABLE} is empty, or holds a blank or a line break: give the key alone ({KEY_PAGE})"
            )
        address = urlsplit(self.url)
        if address.scheme != "https" and not (address.scheme == "http" and address.hostname in _OWN_MACHINE):
            raise InputError(f"{self.url}: the key is sent by https alone; the API is at {URL}")

    def opener(self) -> OpenerDirector:
        """Opens addresses without following a redirection, which would take the key to another server."""
        is_own = urlsplit(self.url).hostname in _OWN_MACHINE
        return build_opener(_NoRedirection, *([ProxyHandler({})] if is_own else []))


class _NoRedirection(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def fetch_structures(
    api: MaterialsProject,
    ids: Sequence[str],
    *,
    sleep: Callable[[float], None] = time.sleep,
    say: Callable[[str], None] = print,
) -> Iterator[dict[str, Mapping[str, Any]]]:
    """Asks for the structures of `ids`, batch after batch.

    Yields:
      of each batch: id -> pymatgen's `Structure.as_dict()`. An id that is not there any more is left out.

    Raises:
      Unreachable: no usable answer in `api.attempts` attempts.
      InputError: the key is refused, or the answer has another form.
    """
    opener = api.opener()
    for begin in range(0, len(ids), api.batch):
        asked = ids[begin : begin + api.batch]
        query = {
            "material_ids": ",".join(asked),
            "_fields": "material_id,structure",
            "_limit": len(asked),
            "id_format": "legacy",
        }
        address = f"{api.url.rstrip('/')}/materials/summary/?{urlencode(query, safe=',')}"
        yield _structures(_ask(api, opener, address, sleep, say), set(asked), api.url)


def legacy_id(name: str) -> str:
    """'mp-149' of 'mp-aaaaaaft': the letters are the digits of the number in base 26, a is 0. Others as they are."""
    found = _LEGACY.fullmatch(name)
    if found is None:
        return name
    number = 0
    for letter in found[2]:
        number = 26 * number + ord(letter) - ord("a")
    return f"{found[1] or 'mp'}-{number}"


def _structures(answer: Any, asked: set[str], url: str) -> dict[str, Mapping[str, Any]]:
    documents = answer.get("data") if isinstance(answer, Mapping) else None
    if not isinstance(documents, list) or not all(isinstance(one, Mapping) for one in documents):
        raise InputError(f"{url}: it answers in another form than was expected, without a list of materials in 'data'")
    found: dict[str, Mapping[str, Any]] = {}
    for document in documents:
        name = str(document.get("material_id"))
        name = name if name in asked else legacy_id(name)
        if name in asked and isinstance(document.get("structure"), Mapping):
            found[name] = document["structure"]
    return found


def _ask(
    api: MaterialsProject,
    opener: OpenerDirector,
    address: str,
    sleep: Callable[[float], None],
    say: Callable[[str], None],
) -> Any:
    """The JSON at an address; asked again after what may pass."""
    for attempt in range(1, api.attempts + 1):
        wait = min(api.first_wait * 2 ** (attempt - 1), api.longest_wait)
        try:
            return _read(api, opener, address)
        except HTTPError as error:
            with error:
                reason = _explained(api, error)
                asked_for = _retry_after(error.headers)
            wait = wait if asked_for is None else asked_for
        except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:  # URLError, and no JSON, too
            reason = f"{type(error).__name__}: {str(error).replace(api.key, '***')}"
        if attempt == api.attempts or wait > api.longest_wait:
            break
        say(f"{api.url}: {reason}; attempt {attempt + 1} of {api.attempts} in {wait:.0f} s")
        sleep(wait)
    asked_to = f", and asks to wait {wait:.0f} s" if wait > api.longest_wait else ""
    raise Unreachable(f"{api.url}: no usable answer in {attempt} attempts ({reason}){asked_to}")


def _read(api: MaterialsProject, opener: OpenerDirector, address: str) -> Any:
    headers = {"X-API-KEY": api.key, "Accept": "application/json", "User-Agent": f"jaxboost/{__version__}"}
    with opener.open(Request(address, headers=headers), timeout=api.timeout) as answer:
        data = answer.read(_LARGEST + 1)
        left = answer.length  # of what was promised; read(n) does not look
    if len(data) > _LARGEST:
        raise ValueError(f"an answer of more than {_LARGEST >> 20} MiB")
    if left:
        raise http.client.IncompleteRead(data, left)
    return json.loads(data)


def _explained(api: MaterialsProject, error: HTTPError) -> str:
    """What a refusal says that may pass.

    Raises:
      InputError: it will not pass.
    """
    try:
        said = " ".join(error.read(300).decode(errors="replace").split()).replace(api.key, "***")
    except (OSError, http.client.HTTPException):
        said = "its text was cut off"
    reason = f"HTTP status {error.code}" + (f", '{said}'" if said else "")
    if error.code in (401, 403):
        raise InputError(
            f"{api.url} refuses the key in {KEY_VARIABLE} ({reason}); copy it anew from {KEY_PAGE}, logged in"
        ) from error
    if error.code not in (408, 425, 429) and error.code < 500:
        raise InputError(f"{api.url}: {reason}; the API may have changed, or --api names another server") from error
    return reason


def _retry_after(headers: Message) -> float | None:
    """Seconds that a server asks to wait, by its `Retry-After` (RFC 9110, 10.2.3); None where it says nothing usable.

    A date is held against the `Date` of the same answer, which is by the same clock; this machine's may be wrong.
    """
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        then, now = (parsedate_to_datetime(date) for date in (text, headers.get("Date", "")))
    except ValueError:
        return None
    then, now = (date if date.tzinfo else date.replace(tzinfo=UTC) for date in (then, now))
    return max((then - now).total_seconds(), 0.0)
