"""Checks that the cluster still answers: a driver that lost it would wait for ever, or exit without a message.

Measured with Ray 2.60: without its head (the GCS), Ray ends a driver after 62 s with exit code 1 and no message;
without its node's raylet, a driver waits for ever for workers that cannot start.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import ray

from synaug_ray.common.errors import LOST

POLL_SECONDS = 2.0
HEAD_PATIENCE = 30.0  # seconds: a fault-tolerant head may restart; Ray itself gives up after 60
NODE_PATIENCE = 6.0  # seconds: a raylet does not restart
END_SECONDS = 25.0  # for the driver to exit by itself, after it was notified


@dataclass(frozen=True)
class Endpoint:
    """A process of the cluster that has to accept connections."""

    name: str
    host: str
    port: int
    patience: float  # seconds without an answer after which it counts as lost

    def answers(self) -> bool:
        """Whether the port accepts a connection."""
        try:
            socket.create_connection((self.host, self.port), timeout=5.0).close()
        except OSError:
            return False
        return True


def endpoints() -> list[Endpoint]:
    """The head of the cluster that this process has joined, and the raylet of its own node."""
    context = ray.get_runtime_context()
    host, _, port = context.gcs_address.rpartition(":")
    found = [Endpoint("its head", host.strip("[]"), int(port), HEAD_PATIENCE)]
    for node in ray.nodes():
        if node["NodeID"] == context.get_node_id():
            found.append(
                Endpoint("the raylet of this node", node["NodeManagerAddress"], node["NodeManagerPort"], NODE_PATIENCE)
            )
    return found


class Watchdog(threading.Thread):
    """Checks the endpoints regularly; if one is lost, ends the driver by an exception or, if that fails, at once."""

    def __init__(self, endpoints: list[Endpoint], sentence: Callable[[str], str]) -> None:
        """``sentence`` makes the user's message from the description of what does not answer."""
        super().__init__(name="watchdog", daemon=True)
        self._endpoints, self._sentence = endpoints, sentence
        self._end, self._driver_ended = threading.Event(), threading.Event()
        self._main = threading.main_thread().ident
        self.lost = ""

    def stop(self) -> None:
        """Stop checking; a driver that was notified of a loss is still given its time to exit."""
        self._end.set()

    def driver_ended(self) -> None:
        """Record that the driver exits by itself."""
        self._driver_ended.set()

    def unreachable(self) -> str:
        """What does not answer at present, which may be the cause of some other error; empty if everything does."""
        return self.lost or next((_describe(e) for e in self._endpoints if not e.answers()), "")

    def run(self) -> None:
        last_answer = {e: time.monotonic() for e in self._endpoints}
        while not self._end.wait(POLL_SECONDS):
            for endpoint in self._endpoints:
                if endpoint.answers():
                    last_answer[endpoint] = time.monotonic()
                elif time.monotonic() - last_answer[endpoint] >= endpoint.patience:
                    self.lost = _describe(endpoint)
                    return self._end_driver()

    def _end_driver(self) -> None:
        if self._main is not None and callable(signal.getsignal(signal.SIGTERM)):
            signal.pthread_kill(self._main, signal.SIGTERM)  # the command turns it into an exception
        if not self._driver_ended.wait(END_SECONDS):  # the main thread is stuck in a call that will never return
            print(f"error: {self._sentence(self.lost)}", file=sys.stderr, flush=True)
            os._exit(LOST)


def _describe(endpoint: Endpoint) -> str:
    return f"{endpoint.name} at {endpoint.host}:{endpoint.port} does not answer"
