"""Athena's calls, as far as dbt-athena makes them."""

import traceback
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass

from tests.support.athena_double import queries
from tests.support.athena_double.calculations import Session
from tests.support.athena_double.errors import InvalidRequest, QueryFailed
from tests.support.athena_double.tables import Tables

SQL_ENGINE = "Athena engine version 3"
SPARK_ENGINE = "PySpark engine version 3"

# How long an answer waits for a query to end, so that nobody need ask twice.
PATIENCE = 20

PAGE = 1000


@dataclass
class Query:
    """A query execution: what was asked for, and what becomes of it."""

    request: dict
    result: Future


@dataclass
class Calculation:
    """A calculation execution: the session it is in, and what becomes of it."""

    session: str
    result: Future


class Service:
    """One method for each call, by its name; what it takes and gives is boto3's.

    Spark does one thing at a time, in a thread of its own. What dbt-athena has changed in Glue and
    S3 is looked at before each, and what Spark has changed is told to both after it.
    """

    def __init__(self, tables: Tables, work_groups: dict[str, str]) -> None:
        self.tables = tables
        self.work_groups = work_groups
        self.queries: dict[str, Query] = {}
        self.sessions: dict[str, Session] = {}
        self.calculations: dict[str, Calculation] = {}
        self._spark = ThreadPoolExecutor(1, thread_name_prefix="athena-spark")

    def close(self) -> None:
        """Wait for what is under way, and take no more."""
        self._spark.shutdown()

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
        if self._engine(WorkGroup) != SQL_ENGINE:
            raise InvalidRequest(f"WorkGroup {WorkGroup} is not for SQL")
        self.tables.bucket.path(ResultConfiguration["OutputLocation"])
        request = {
            "Query": QueryString,
            "WorkGroup": WorkGroup,
            "ResultConfiguration": ResultConfiguration,
            "QueryExecutionContext": QueryExecutionContext,
        }
        database = QueryExecutionContext["Database"]
        job = self._later(lambda: queries.execute(QueryString, database, self.tables))
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
        header = [[column["Name"] for column in result.columns]] if result.kind == "DML" else []
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
        if self._engine(WorkGroup) != SPARK_ENGINE:
            raise InvalidRequest(f"WorkGroup {WorkGroup} is not for Spark")
        properties = EngineConfiguration.get("SparkProperties", {})
        self.sessions[id := str(uuid.uuid4())] = Session(self.tables, properties)
        return {"SessionId": id, "State": "CREATED"}

    def GetSessionStatus(self, SessionId: str) -> dict:
        self._known(self.sessions, SessionId, "Session")
        return {"SessionId": SessionId, "Status": {"State": self._state(SessionId)}}

    def StartCalculationExecution(
        self, SessionId: str, CodeBlock: str, ClientRequestToken: str = ""
    ) -> dict:
        session = self._known(self.sessions, SessionId, "Session")
        if self._state(SessionId) == "BUSY":
            raise InvalidRequest(
                "Session is in the BUSY state; needs to be IDLE to accept Calculations."
            )
        job = self._later(lambda: session.execute(CodeBlock))
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
            bucket = self.tables.bucket
            bucket.s3.put_object(Bucket=bucket.name, Key=key, Body=text.encode())
            urls[name] = f"s3://{bucket.name}/{key}"
        if failure is None:
            return answer | {"Status": {"State": "COMPLETED"}, "Result": urls}
        # What Athena says here is not known; all of it is in the file.
        reason = failure.strip().splitlines()[-1]
        return answer | {"Status": {"State": "FAILED", "StateChangeReason": reason}, "Result": urls}

    def _state(self, session: str) -> str:
        under_way = (
            calculation.session == session and not calculation.result.done()
            for calculation in self.calculations.values()
        )
        return "BUSY" if any(under_way) else "IDLE"

    def _engine(self, work_group: str) -> str:
        if work_group not in self.work_groups:
            raise InvalidRequest(f"WorkGroup {work_group} is not found.")
        return self.work_groups[work_group]

    def _later(self, work) -> Future:
        def job():
            self.tables.pull()
            result = None
            try:
                result = work()
                return result
            finally:
                if not (isinstance(result, queries.Result) and result.statement == "SELECT"):
                    self.tables.push()

        return self._spark.submit(job)

    @staticmethod
    def _known(things: dict, id: str, what: str):
        if id not in things:
            raise InvalidRequest(f"{what} {id} was not found")
        return things[id]
