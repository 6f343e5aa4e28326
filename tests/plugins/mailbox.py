"""A mail server and a chat program's webhook on this machine, for tests: real sockets that keep what they get."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_string
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PASSWORD = "m41l-s3cret"
TOKEN = "h00k-s3cret"


@dataclass
class Mailbox:
    """What came, and the connections that lead here.

    Attributes
    ----------
    mails : list
        Mails in the order they came.
    posts : list of (dict, str)
        Of each request to the webhook: its JSON, and its Authorization header.
    answer : int
        Status that the webhook answers with.
    """

    mails: list[Message] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    posts: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    answer: int = 200
    email_connection: str = ""
    webhook_connection: str = ""

    def texts(self) -> list[str]:
        """Return the bodies of the mails."""
        return [
            str(part.get_payload(decode=True), "utf-8")  # type: ignore[arg-type]
            for mail in self.mails
            for part in mail.walk()
            if part.get_content_type() == "text/html"
        ]


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """Yield a mailbox on two free ports."""
    box = Mailbox()

    class Smtp(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            self.say("220 here")
            while line := self.rfile.readline().decode().strip():
                word = line.split(" ")[0].upper()
                if word == "RCPT":
                    box.recipients.append(line.partition("<")[2].rstrip(">"))
                if word == "DATA":
                    self.say("354 go on")
                    lines = []
                    while (text := self.rfile.readline().decode()) != ".\r\n":
                        lines.append(text.removeprefix(".") if text.startswith("..") else text)
                    box.mails.append(message_from_string("".join(lines)))
                self.say("221 bye" if word == "QUIT" else "250 ok")
                if word == "QUIT":
                    return

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            box.posts.append((content, self.headers["Authorization"]))
            self.send_response(box.answer)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    mail, hook = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Smtp), ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    for server in (mail, hook):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    extra = {"disable_ssl": True, "disable_tls": True, "from_email": "segments@shop.example"}
    login = {"conn_type": "smtp", "host": "127.0.0.1", "port": mail.server_address[1], "extra": extra}
    box.email_connection = json.dumps(login | {"password": PASSWORD})
    address = f"http://127.0.0.1:{hook.server_port}/services/T0/B0"
    box.webhook_connection = json.dumps({"conn_type": "http", "host": address, "password": TOKEN})
    try:
        yield box
    finally:
        for server in (mail, hook):
            server.shutdown()
            server.server_close()
