"""A server on this machine that answers as the API of the Materials Project does, after the faults it is given."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from jaxboost.crystal import Structure
from jaxboost.crystal.elements import SYMBOLS

KEY = "secret-0123456789"


def as_dict(structure: Structure) -> dict:
    """As pymatgen's `Structure.as_dict()` has it."""
    sites = [
        {"species": [{"element": SYMBOLS[number], "occu": 1}], "abc": place.tolist(), "label": SYMBOLS[number]}
        for number, place in zip(structure.atomic_numbers, structure.frac_coords, strict=True)
    ]
    return {"@class": "Structure", "lattice": {"matrix": structure.lattice.tolist()}, "sites": sites}


@dataclass
class Fake:
    """A server under way.

    Attributes:
      structures: id -> what it has.
      faults: what happens to the next requests, one each; then it answers.
      rename: id -> how the answer calls it.
      queries: of each request, its fields; keys: of each request, the key it came with.
    """

    structures: Mapping[str, dict]
    faults: list[Callable[[BaseHTTPRequestHandler], bool]]
    rename: Callable[[str], str] = str
    queries: list[dict[str, str]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    url: str = ""

    @property
    def asked(self) -> list[list[str]]:
        """The ids of each request."""
        return [query["material_ids"].split(",") for query in self.queries]


def status(code: int, text: str = "", **headers: str) -> Callable[[BaseHTTPRequestHandler], bool]:
    """Answers with a status instead."""

    def answer(handler):
        _send(handler, code, text.encode(), {name.replace("_", "-"): value for name, value in headers.items()})
        return True

    return answer


def answers(data: bytes) -> Callable[[BaseHTTPRequestHandler], bool]:
    """Answers with other bytes, as if all were well."""

    def answer(handler):
        _send(handler, 200, data, {})
        return True

    return answer


def cut_short(handler: BaseHTTPRequestHandler) -> bool:
    """Promises more than it sends."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"data": [')
    handler.close_connection = True
    return True


def hangs(handler: BaseHTTPRequestHandler) -> bool:
    """Says nothing for a second."""
    time.sleep(1.0)
    handler.close_connection = True
    return True


@contextmanager
def serve(structures: Mapping[str, Structure], *faults, rename=str) -> Iterator[Fake]:
    """A server with these structures, and these faults first."""
    fake = Fake({name: as_dict(one) for name, one in structures.items()}, list(faults), rename)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            fake.queries.append({name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()})
            fake.keys.append(self.headers.get("X-API-KEY"))
            if fake.faults and fake.faults.pop(0)(self):
                return
            if self.headers.get("X-API-KEY") != KEY:
                _send(self, 401, b"Unauthorized: " + str(self.headers.get("X-API-KEY")).encode(), {})
                return
            if urlsplit(self.path).path != "/materials/summary/":
                _send(self, 404, b"Not Found", {})
                return
            asked = fake.asked[-1]
            data = [
                {"material_id": fake.rename(name), "structure": fake.structures[name]}
                for name in asked
                if name in fake.structures
            ]
            _send(self, 200, json.dumps({"data": data, "meta": {"total_doc": len(data)}}).encode(), {})

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _send(handler: BaseHTTPRequestHandler, code: int, data: bytes, headers: Mapping[str, str]) -> None:
    (handler.send_response_only if "Date" in headers else handler.send_response)(code)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)
