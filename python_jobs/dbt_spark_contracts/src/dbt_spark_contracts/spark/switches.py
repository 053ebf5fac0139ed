"""Switches that a user turns off by an environment variable or a setting of the profile."""

import os

OFF = ("off", "false", "0", "no")


def is_off(variable: str, setting: str, settings: dict[str, str]) -> bool:
    """Return whether the variable or the setting turns the switch off."""
    return _says_off(os.environ.get(variable, "")) or _says_off(settings.get(setting, ""))


def is_ci() -> bool:
    """Return whether this is a CI machine, which is discarded afterwards."""
    ci = os.environ.get("CI", "")
    return bool(ci.strip()) and not _says_off(ci)


def _says_off(value: str) -> bool:
    return value.strip().lower() in OFF
