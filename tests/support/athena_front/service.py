"""The calls of Athena's API that dbt-athena makes."""

import traceback
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass

from tests.support.athena_front import queries
from tests.support.athena_front.calculations import SparkProcess
from tests.support.athena_front.errors import InvalidRequest, QueryFailed

WORK_GROUPS = {"primary": "Athena engine version 3", "spark": "PySpark engine version 3"}

# How many seconds a call waits for a query to end, so that clients rarely poll again.
PATIENCE = 20

PAGE = 1000


@dataclass
class Query:
    """A query execution: the request and its future result."""

    request: dict
    result: Future


@dataclass
class Calculation:
    """A calculation execution: its session and its future result."""

    session: str
    result: Future


class Service:
    """One method per call, named like it. Arguments and results are those of boto3."""

    def __init__(self, trino: Callable, spark: SparkProcess, glue, s3) -> None:
        """
        Args:
            trino: A function that runs a statement in a database and returns the cursor.
            spark: Runs the code blocks.
            glue: Glue's client.
            s3: S3's client.
        """
        self.trino = trino
        self.spark = spark
        self.glue = glue
        self.s3 = s3
        self.queries: dict[str, Query] = {}
        self.sessions: set[str] = set()
        self.calculations: dict[str, Calculation] = {}
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="athena-front")

    def GetWorkGroup(self, WorkGroup: str) -> dict:
        engine = self._engine(WorkGroup)
        version = {"SelectedEngineVersion": engine, "EffectiveEngineVersion": engine}
        configuration = {"EnforceWorkGroupConfiguration": False, "EngineVersion": version}
        group = {"Name": WorkGroup, "State": "ENABLED", "Configuration": configuration}
        return {"WorkGroup": group}

    def StartQueryExecution(
        self,
        QueryString: str,
        WorkGroup: str,
        ResultConfiguration: dict,
        QueryExecutionContext: dict,
        ClientRequestToken: str,
    ) -> dict:
        if "PySpark" in self._engine(WorkGroup):
            raise InvalidRequest(f"WorkGroup {WorkGroup} is not for SQL")
        request = {
            "Query": QueryString,
            "WorkGroup": WorkGroup,
            "ResultConfiguration": ResultConfiguration,
            "QueryExecutionContext": QueryExecutionContext,
        }
        database = QueryExecutionContext["Database"]
        job = self._threads.submit(queries.execute, QueryString, database, self.trino, self.glue)
        self.queries[id := str(uuid.uuid4())] = Query(request, job)
        return {"QueryExecutionId": id}

    def GetQueryExecution(self, QueryExecutionId: str) -> dict:
        query = self._known(self.queries, QueryExecutionId, "QueryExecution")
        execution = {"QueryExecutionId": QueryExecutionId, **query.request}
        try:
            result = query.result.result(PATIENCE)
        except NotYet:
            execution["Status"] = {"State": "RUNNING"}
        except Exception as error:
            said = str(error)
            if not isinstance(error, QueryFailed):
                said = "".join(["INTERNAL_ERROR: ", *traceback.format_exception(error)])
            athena_error = {"ErrorCategory": 2, "ErrorType": 1000, "ErrorMessage": said}
            execution["Status"] = {
                "State": "FAILED",
                "StateChangeReason": said,
                "AthenaError": athena_error,
            }
        else:
            execution["Status"] = {"State": "SUCCEEDED"}
            execution["StatementType"] = result.kind
            execution["SubstatementType"] = result.statement
            execution["Statistics"] = {"DataScannedInBytes": 0}
        return {"QueryExecution": execution}

    def GetQueryResults(self, QueryExecutionId: str, NextToken: str = "0") -> dict:
        query = self._known(self.queries, QueryExecutionId, "QueryExecution")
        if not query.result.done() or query.result.exception():
            raise InvalidRequest("Query has not yet finished, or has failed")
        result = query.result.result()
        is_select = result.statement == "SELECT"
        header = [[column["Name"] for column in result.columns]] if is_select else []
        rows, start = [*header, *result.rows], int(NextToken)
        data = [
            {"Data": [{} if text is None else {"VarCharValue": text} for text in row]}
            for row in rows[start : start + PAGE]
        ]
        answer = {"ResultSet": {"Rows": data, "ResultSetMetadata": {"ColumnInfo": result.columns}}}
        if result.update_count is not None:
            answer["UpdateCount"] = result.update_count
        if start + PAGE < len(rows):
            answer["NextToken"] = str(start + PAGE)
        return answer

    def StartSession(
        self,
        WorkGroup: str,
        EngineConfiguration: dict,
        Description: str,
        SessionIdleTimeoutInMinutes: int,
    ) -> dict:
        if "PySpark" not in self._engine(WorkGroup):
            raise InvalidRequest(f"WorkGroup {WorkGroup} is not for Spark")
        id = str(uuid.uuid4())
        self.spark.open(id, EngineConfiguration.get("SparkProperties", {}))
        self.sessions.add(id)
        return {"SessionId": id, "State": "CREATED"}

    def GetSessionStatus(self, SessionId: str) -> dict:
        return {"SessionId": SessionId, "Status": {"State": self._state(SessionId)}}

    def StartCalculationExecution(
        self, SessionId: str, CodeBlock: str, ClientRequestToken: str = ""
    ) -> dict:
        if self._state(SessionId) == "BUSY":
            raise InvalidRequest(
                "Session is in the BUSY state; needs to be IDLE to accept Calculations."
            )
        job = self.spark.run(SessionId, CodeBlock)
        self.calculations[id := str(uuid.uuid4())] = Calculation(SessionId, job)
        return {"CalculationExecutionId": id, "State": "CREATING"}

    def GetCalculationExecution(self, CalculationExecutionId: str) -> dict:
        calculation = self._known(self.calculations, CalculationExecutionId, "Calculation")
        answer = {
            "CalculationExecutionId": CalculationExecutionId,
            "SessionId": calculation.session,
        }
        try:
            printed, failure = calculation.result.result(PATIENCE)
        except NotYet:
            return answer | {"Status": {"State": "RUNNING"}}
        urls = {}
        for name, text in {"StdOutS3Uri": printed, "StdErrorS3Uri": failure or ""}.items():
            key = f"calculations/{CalculationExecutionId}/{name.removesuffix('S3Uri').lower()}"
            self.s3.put_object(Bucket=self.spark.bucket, Key=key, Body=text.encode())
            urls[name] = f"s3://{self.spark.bucket}/{key}"
        if failure is None:
            return answer | {"Status": {"State": "COMPLETED"}, "Result": urls}
        # Athena's format is not known. The file has the full traceback.
        reason = failure.strip().splitlines()[-1]
        return answer | {"Status": {"State": "FAILED", "StateChangeReason": reason}, "Result": urls}

    def _state(self, session: str) -> str:
        if session not in self.sessions:
            raise InvalidRequest(f"Session {session} was not found")
        under_way = (
            calculation.session == session and not calculation.result.done()
            for calculation in list(self.calculations.values())
        )
        return "BUSY" if any(under_way) else "IDLE"

    @staticmethod
    def _engine(work_group: str) -> str:
        if work_group not in WORK_GROUPS:
            raise InvalidRequest(f"WorkGroup {work_group} is not found.")
        return WORK_GROUPS[work_group]

    @staticmethod
    def _known(things: dict, id: str, what: str):
        if id not in things:
            raise InvalidRequest(f"{what} {id} was not found")
        return things[id]
