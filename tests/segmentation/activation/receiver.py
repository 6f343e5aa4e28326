"""A CRM's side of a webhook: a real HTTP server that keeps what it got and answers as a test says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """Requests in the order they came, and the answers to give, then 200 to all.

    Attributes
    ----------
    answers : list
        Status; or ``(status, Retry-After)``; or ``"silence"``: no answer for a second; or what to do before a 200.
    keys, bodies, logins : list
        Of each request: its idempotency key, its JSON, its Authorization header.
    """

    url: str = ""
    answers: list[Any] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    logins: list[str | None] = field(default_factory=list)
    times: list[float] = field(default_factory=list)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Yield a receiver on a free port of this machine."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.times.append(time.monotonic())
            receiver.keys.append(self.headers["Idempotency-Key"])
            receiver.logins.append(self.headers["Authorization"])
            receiver.bodies.append(json.loads(body))
            answer = receiver.answers.pop(0) if receiver.answers else 200
            if answer == "silence":
                time.sleep(1)
                answer = 200
            if callable(answer):
                answer()
                answer = 200
            status, pause = answer if isinstance(answer, tuple) else (answer, None)
            try:
                self.send_response(status)
                if pause is not None:
                    self.send_header("Retry-After", pause)
                self.end_headers()
                self.wfile.write(b"customer c1 is unknown")
            except ConnectionError:
                pass

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/hooks/audience-7f3c"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
