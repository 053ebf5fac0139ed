"""Validates requests and responses against botocore's service models."""

from functools import cache

import botocore.session
from botocore.model import Shape
from botocore.validate import ParamValidator

from tests.support.athena_front.errors import InvalidRequest


@cache
def service_model(service: str):
    """Return botocore's model of a service's calls."""
    return botocore.session.get_session().get_service_model(service)


def hold_to(shape: Shape, value, what: str) -> None:
    """Validate a request or a response.

    Raises:
        InvalidRequest: If it does not match the model, or if a string is too long.
    """
    report = ParamValidator().validate(value, shape)
    problems = report.has_errors() and [report.generate_report()]
    if problems := problems or list(_too_long(shape, value, what)):
        raise InvalidRequest(f"{what}: {'; '.join(problems)}")


def _too_long(shape: Shape, value, path: str):
    # botocore checks only the minimum length. The service checks the maximum.
    if shape.type_name == "structure":
        for name, inner in value.items():
            yield from _too_long(shape.members[name], inner, f"{path}.{name}")
    elif shape.type_name == "string" and len(value) > shape.metadata.get("max", len(value)):
        yield f"{path} has {len(value)} characters, and the service takes {shape.metadata['max']}"
