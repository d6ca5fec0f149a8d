"""How many synthetic images is one more real image worth, and should you collect or generate?"""

import os as _os
import sys as _sys

__version__ = "0.1.0"

if _sys.argv[:1] == ["-m"] and not _sys.flags.safe_path:
    # `python -m synaug_ray.grid` is being started, and Python looks for all modules in the working directory first: a
    # random.py among the user's own files would be taken for Python's. Nothing of ours is there, unless in a clone.
    # Only modules that every Python has loaded by now are used.
    _own = _os.path.dirname(_os.path.dirname(_os.path.abspath(__file__)))
    try:  # noqa: SIM105
        if _sys.path[:1] == [_os.getcwd()] and not _os.path.samefile(_own, _sys.path[0]):
            del _sys.path[0]
    except OSError:  # the working directory is gone, so nothing is found in it
        pass
