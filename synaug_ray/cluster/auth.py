"""Who may command a Ray cluster: the token and its file, where the dashboard listens, and why joining was refused."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from synaug_ray.common.findings import Finding

LOOPBACK = re.compile(r"(127\.\d+\.\d+\.\d+|localhost|\[?::1\]?)(:\d+)?")
REFUSED = re.compile("unauthenticated|authentication token|InvalidAuthToken", re.IGNORECASE)
SERVED = "anyone who reaches the cluster can run code with your rights"


@dataclass(frozen=True)
class Access:
    """What Ray's environment says about authentication, and what a cluster shows."""

    mode: str | None  # $RAY_AUTH_MODE
    joins: bool  # a cluster that is there already, and not one of its own
    holder: str  # what holds the token: the name of a variable, or a file's path
    permissions: int | None = None  # of that file; None where there is none
    dashboard: str = ""  # host:port, where there is one

    @property
    def on(self) -> bool:
        """Ray turns authentication on by itself for a cluster that it starts, and for none that it joins."""
        return self.mode == "token" or (self.mode is None and not self.joins)


def access(environment: Mapping[str, str], joins: bool, dashboard: str = "") -> Access:
    """What the environment of a driver means to Ray 2.60: the order in which it looks for a token is Ray's."""
    mode = environment.get("RAY_AUTH_MODE")
    mode = mode.lower() if mode is not None else None
    if environment.get("RAY_AUTH_TOKEN"):
        return Access(mode, joins, "$RAY_AUTH_TOKEN", dashboard=dashboard)
    path = environment.get("RAY_AUTH_TOKEN_PATH") or os.path.expanduser("~/.ray/auth_token")
    try:
        permissions = stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        permissions = None
    return Access(mode, joins, path, permissions, dashboard)


def judged(found: Access) -> list[Finding]:
    """A line on the token, and one on the dashboard where there is one."""
    file = not found.holder.startswith("$")
    rows = []
    if found.on and file and found.permissions is None and found.joins:
        rows.append(
            Finding(
                "token",
                f"authentication is on, and there is no token: no {found.holder}. Copy the "
                "cluster's there, or name its file in $RAY_AUTH_TOKEN_PATH",
                "problem",
            )
        )
    elif file and found.permissions is not None and found.permissions & 0o077:
        rows.append(
            Finding(
                "token",
                f"{found.holder} is not its owner's alone (mode {found.permissions:04o}), and "
                f"who reads it can run code on the cluster; say: chmod 600 {found.holder}",
                "problem",
            )
        )
    elif found.on:
        where = (
            f"in {found.holder}"
            if not file or found.permissions is not None
            else f"will be made in {found.holder} by the first run"
        )
        rows.append(Finding("token", f"authentication is on; the token is {where}"))
    else:
        said = "$RAY_AUTH_MODE is not set" if found.mode is None else f"RAY_AUTH_MODE={found.mode}"
        rows.append(
            Finding(
                "token",
                f"authentication is off ({said}): {SERVED}. Start the cluster with "
                "RAY_AUTH_MODE=token, and set it here too",
                "note",
            )
        )
    if found.dashboard and not LOOPBACK.fullmatch(found.dashboard):
        rows.append(
            Finding(
                "dashboard",
                f"listens on {found.dashboard} and not on the loopback alone"
                + (
                    "; with a token it refuses who has none, but over http the token travels in clear"
                    if found.on
                    else f", without a token: {SERVED}"
                )
                + ". Leave --dashboard-host out, and tunnel to it with ssh",
                "note",
            )
        )
    elif found.dashboard:
        rows.append(Finding("dashboard", f"listens on {found.dashboard}, the loopback alone"))
    return rows


def why_not_joined(address: str, said: str, found: Access) -> str:
    """The sentence of a cluster that let this driver not in; ``said`` is Ray's, in a line."""
    versions = re.findall(r"Ray: (\S+) Python: (\S+)", said)
    if len(versions) == 2:
        (ray, python), (our_ray, our_python) = versions
        return (
            f"the Ray cluster at {address} runs ray {ray} and Python {python}, and here are ray {our_ray} and "
            f"Python {our_python}, which Ray does not join; use the cluster's Python here, or submit this as a job"
        )
    here = f"RAY_AUTH_MODE ({found.mode or 'not set'}) and the token in {found.holder} have to be the cluster's"
    if REFUSED.search(said):
        return f"the Ray cluster at {address} refused the token, or there is none: {here}"
    return (
        f"cannot join the Ray cluster at {address} ({said}); is it there? If so, it may have refused the token: "
        f"{here}. --local does without Ray"
    )
