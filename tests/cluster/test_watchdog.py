"""A cluster that no longer answers: noticed in time, told in a sentence, and the driver ends whatever it hangs in."""

import socket
import subprocess
import sys

from synaug_ray.cluster.watchdog import Endpoint, Watchdog, endpoints


def listener():
    server = socket.create_server(("127.0.0.1", 0))
    return server, Endpoint("its head", "127.0.0.1", server.getsockname()[1], patience=0.0)


def test_it_knocks_at_the_head_and_at_this_node(cluster):
    found = endpoints()
    assert [e.name for e in found] == ["its head", "the raylet of this node"]
    assert all(e.answers() for e in found)
    assert Watchdog(found, str).unreachable() == ""


def test_who_does_not_answer_is_named():
    server, endpoint = listener()
    found = Watchdog([endpoint], str)
    assert found.unreachable() == ""
    server.close()
    assert found.unreachable() == f"its head at 127.0.0.1:{endpoint.port} does not answer"


DRIVER = """
import signal, sys, time
from synaug_ray.cluster import watchdog
from synaug_ray.common.errors import LOST

def told(number, frame):
    raise KeyboardInterrupt

watchdog.POLL_SECONDS, watchdog.END_SECONDS = 0.1, 1.0
signal.signal(signal.SIGTERM, told)
watch = watchdog.Watchdog([watchdog.Endpoint("its head", "127.0.0.1", 1, 0.3)], lambda who: f"lost: {who}")
watch.start()
try:
    time.sleep(60)
except KeyboardInterrupt:
    assert watch.lost
    if sys.argv[1] == "hangs":
        time.sleep(60)
    watch.driver_ended()
    sys.exit(7)
"""


def test_the_driver_is_woken_and_one_that_hangs_is_ended():
    for how, code in (("ends", 7), ("hangs", 75)):
        done = subprocess.run([sys.executable, "-c", DRIVER, how], capture_output=True, text=True, timeout=50)
        assert done.returncode == code, done.stderr
        assert ("error: lost: its head at 127.0.0.1:1 does not answer" in done.stderr) == (how == "hangs")
