"""A real S3 server (moto's) on the loopback, and a proxy before it that records requests and can be made to fail."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code>'
    b"<Message>Please reduce your request rate.</Message></Error>"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Moto:
    """moto's server in a process of its own; its content is lost when it ends."""

    def __init__(self, log: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        program = Path(sys.executable).with_name("moto_server")
        with log.open("w") as file:
            self._process = subprocess.Popen(
                [
                    str(program if program.exists() else shutil.which("moto_server")),
                    "-H",
                    "127.0.0.1",
                    "-p",
                    str(self.port),
                ],
                stdout=file,
                stderr=file,
                env=os.environ | {"MOTO_S3_CUSTOM_ENDPOINTS": ""},
            )
        for _ in range(600):  # its imports take seconds, and many on a busy machine
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.2)
        raise RuntimeError(f"moto_server did not start: {log.read_text()[-500:]}")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


class Gate:
    """A proxy that forwards requests to a server and records them; it can refuse or cut the next ones."""

    def __init__(self, port: int) -> None:
        self.requests: list[tuple[str, str]] = []  # (method, path with query)
        self.faults: list[str] = []  # of the next requests: "slow down", "cut", or "" to forward
        self.closed = False  # True resets every connection, as if the server were gone
        self.closes_after = ""  # once something is put at a path that contains this, the server is gone
        gate = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                pass

            def one(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                gate.requests.append((self.command, self.path))
                fault = "cut" if gate.closed else gate.faults.pop(0) if gate.faults else ""
                if fault == "cut":  # a reset instead of an orderly end
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                    self.close_connection = True
                elif fault == "slow down":
                    self._answer(503, {"Content-Type": "application/xml"}, SLOW_DOWN)
                else:
                    behind = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                    behind.request(self.command, self.path, body, dict(self.headers))
                    answer = behind.getresponse()
                    data = answer.read()
                    if self.command == "PUT" and gate.closes_after and gate.closes_after in self.path:
                        gate.closed = True
                    self._answer(answer.status, dict(answer.getheaders()), data)
                    behind.close()

            def _answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
                self.send_response_only(status)
                length = headers.get("Content-Length", str(len(data))) if self.command == "HEAD" else str(len(data))
                kept = {
                    k: v
                    for k, v in headers.items()
                    if k.lower() not in ("content-length", "connection", "transfer-encoding")
                }
                for name, value in (kept | {"Content-Length": length}).items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = one

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # a client that was killed

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def during(self, action: Any) -> list[tuple[str, str]]:
        """The requests that an action makes."""
        before = len(self.requests)
        action()
        return self.requests[before:]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
