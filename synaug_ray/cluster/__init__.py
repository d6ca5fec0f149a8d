"""Ray: the only package that imports it. It distributes work; how a step is executed is left to ``engine.execute``.

Ray reads some environment variables when it is imported. They are set here, before any module of this package can
import it.
"""

import os

from synaug_ray.common.process_environment import ensure_user_name


def address() -> str:
    """The cluster of ``$RAY_ADDRESS``; empty if Ray is to be started here, since the variable is unset or ``local``."""
    named = os.environ.get("RAY_ADDRESS", "").strip()
    return "" if named == "local" else named


QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # they would write 5 files per trial, and the Store has all results
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # the command handles Ctrl-C: Tune's handler can block for 600 s
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",  # a thread that outlives ray.shutdown must not start a second cluster
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}
if not address():
    # a cluster on this machine alone: with Ray's switch for laptops, its servers listen on 127.0.0.1 only
    QUIET["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    # under `uv run`, Ray would upload the working directory and start workers by uv in a copy, without our packages
    QUIET["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    # Ray gives its own processes 15 to 60 s to start, which is too short on a busy machine. Not for drivers that
    # join: they would wait as long for a cluster that refuses their token
    QUIET |= {
        "RAY_raylet_start_wait_time_s": "180",
        "RAY_gcs_server_port_wait_time_s": "180",
        "RAY_agent_register_timeout_ms": "180000",
        "RAY_prestart_worker_first_driver": "0",  # otherwise ray.init may wait for ever: see start.py
    }
for _name, _value in QUIET.items():
    os.environ.setdefault(_name, _value)
ensure_user_name()  # in workers too: their node may know only the number of the user
