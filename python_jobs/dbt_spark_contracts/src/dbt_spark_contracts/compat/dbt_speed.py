"""dbt: the same results in less time.

Each replacement does what dbt does, and stays for the whole process. If dbt no longer has the name,
the replacement has no effect.
"""

import gc
import json
import sys
from collections.abc import Mapping
from typing import Any

from dbt.artifacts.schemas import base
from dbt_common.behavior_flags import BehaviorFlagRendered
from dbt_common.clients.system import write_file
from dbt_common.utils.encoding import JSONEncoder

from dbt_spark_contracts.once import once

# After how many new objects the youngest generation is collected, and after how many collections of
# the one before it each older one.
GARBAGE = (50_000, 10, 5)


@once
def quicken() -> None:
    """Make the commands of this process quicker, whatever their projects."""
    setattr(BehaviorFlagRendered, "_default_source", staticmethod(calling_module))  # noqa: B010
    setattr(base, "write_json", write_at_once)  # noqa: B010
    # dbt has imported some 2,000 modules, which stay until the end. Without this, each full
    # collection goes through them while dbt makes the manifest.
    gc.freeze()
    # Python looks for garbage whenever it has 700 more objects than after it last looked. dbt makes
    # hundreds of thousands, and nearly all of them stay.
    gc.set_threshold(*GARBAGE)


def calling_module() -> str:
    """Return the name of the module that declares a behavior flag.

    For each flag, dbt reads the source of every function on the stack to find it.
    """
    frame = sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__") == BehaviorFlagRendered.__module__:
        frame = frame.f_back
    return frame.f_globals.get("__name__", "Unknown")


def write_at_once(path: str, data: Mapping[str, Any]) -> bool:
    """Write an artifact as JSON.

    `json.dump` into a file, which dbt uses, does not use the encoder that is written in C.
    """
    return write_file(path, json.dumps(data, cls=JSONEncoder))
