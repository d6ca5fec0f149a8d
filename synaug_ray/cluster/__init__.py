"""Ray: the only room that knows of a cluster. It moves work about; what work is, ``execute`` knows.

Ray reads some of its environment when it is imported, so that is set here: no module of this room can
import ray before.
"""

import os

QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # 5 files a trial; the Store is the record
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is ours: Tune's handler can block for 600 s
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",  # a thread that outlives ray.shutdown must not start a second cluster
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}
if "RAY_ADDRESS" not in os.environ:
    # a cluster of this machine alone: with Ray's switch for laptops its servers listen on 127.0.0.1, not everywhere
    QUIET["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
for _name, _value in QUIET.items():
    os.environ.setdefault(_name, _value)
