"""The functions of this project's Python models, for tests without dbt."""

import importlib.util
from types import ModuleType

from tests.support.dbt_runner import ROOT


def python_model(path: str) -> ModuleType:
    """The module of a Python model, such as `gold/gold_car_current_state`."""
    file = ROOT / f"models/{path}.py"
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
