"""The front of Athena validates calls and answers with botocore's service model."""

import pytest

from tests.support.athena_front.errors import InvalidRequest
from tests.support.athena_front.server import answer_call

pytestmark = pytest.mark.quick


class Calls:
    """A service whose answers do not match Athena's service model."""

    def GetWorkGroup(self, WorkGroup):
        return {"WorkGroup": {"Name": WorkGroup, "Colour": "blue"}}

    def StartCalculationExecution(self, **asked):
        return {}


@pytest.mark.parametrize(
    ("call", "body", "says"),
    [
        ("AmazonAthena.ListDatabases", b"{}", "does not know the call ListDatabases"),
        ("AmazonAthena.NoSuchCall", b"{}", "does not know the call NoSuchCall"),
        ("AmazonAthena.__init__", b"{}", "does not know the call __init__"),
        ("AWSGlue.GetTable", b"{}", "does not know the call GetTable"),
        ("", b"{}", "does not know the call none"),
        ("AmazonAthena.GetWorkGroup", b"{}", 'Missing required parameter in input: "WorkGroup"'),
        ("AmazonAthena.GetWorkGroup", b'{"WorkGroup": 1}', "Invalid type for parameter WorkGroup"),
        ("AmazonAthena.GetWorkGroup", b'{"WorkGroup": "a", "X": 1}', "Unknown parameter in input"),
        ("AmazonAthena.GetWorkGroup", b'{"WorkGroup": "a"}', "the answer to GetWorkGroup.*Colour"),
        (
            "AmazonAthena.StartCalculationExecution",
            b'{"SessionId": "a", "CodeBlock": "%s"}' % (b"x" * 68001),
            "CodeBlock has 68001 characters, and the service takes 68000",
        ),
    ],
)
def test_calls_that_are_not_athenas(call, body, says):
    with pytest.raises(InvalidRequest, match=says):
        answer_call(Calls(), {"X-Amz-Target": call}, body)
