"""Requests and answers are held to botocore's models of the services."""

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
    """Check a request or an answer.

    Raises:
        InvalidRequest: If it is not as the model says, or a text in it is too long.
    """
    report = ParamValidator().validate(value, shape)
    problems = report.has_errors() and [report.generate_report()]
    if problems := problems or list(_too_long(shape, value, what)):
        raise InvalidRequest(f"{what}: {'; '.join(problems)}")


def _too_long(shape: Shape, value, path: str):
    # botocore looks at the shortest length alone, and leaves the longest to the service.
    if shape.type_name == "structure":
        for name, inner in value.items():
            yield from _too_long(shape.members[name], inner, f"{path}.{name}")
    elif shape.type_name == "string" and len(value) > shape.metadata.get("max", len(value)):
        yield f"{path} has {len(value)} characters, and the service takes {shape.metadata['max']}"
