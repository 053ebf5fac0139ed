"""What a user turns off, by a variable of the environment or a setting of the profile."""

import os

OFF = ("off", "false", "0", "no")


def is_off(variable: str, setting: str, settings: dict[str, str]) -> bool:
    """Is what both names stand for turned off by one of them?"""
    return _says_off(os.environ.get(variable, "")) or _says_off(settings.get(setting, ""))


def is_ci() -> bool:
    """Does this run on a machine of CI, which is thrown away afterwards?"""
    ci = os.environ.get("CI", "")
    return bool(ci.strip()) and not _says_off(ci)


def _says_off(value: str) -> bool:
    return value.strip().lower() in OFF
