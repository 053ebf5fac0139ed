"""dbt's own adapter test suites, on this project's macros and plugin.

Each class runs one of dbt's suites unchanged, except for its overrides. These do not apply:

- basic: SimpleMaterializations, AdapterMethods and DocsGenerate need views, which a catalog in a
  folder does not support.
- constraints: RuntimeDdlEnforcement and ModelConstraints compare the text of one statement, but the
  guard creates a table with several. SqlHeader needs two statements in one. The suites for views.
- empty: SeedFlag needs an option that dbt-core 1.11 lacks. MetadataWithEmptyFlag changes column
  types, which dbt-spark does not do for Iceberg.
- python_model: the koalas model of PySpark needs a package that is pyspark.pandas in Spark 3.5.
"""

import os
import re

import pytest
from dbt.adapters.factory import reset_adapters
from dbt.tests.adapter.basic import files
from dbt.tests.adapter.basic.test_base import check_relation_types, run_dbt
from dbt.tests.adapter.basic.test_empty import BaseEmpty
from dbt.tests.adapter.basic.test_ephemeral import BaseEphemeral
from dbt.tests.adapter.basic.test_generic_tests import BaseGenericTests
from dbt.tests.adapter.basic.test_incremental import (
    BaseIncremental,
    BaseIncrementalBadStrategy,
    BaseIncrementalNotSchemaChange,
)
from dbt.tests.adapter.basic.test_singular_tests import BaseSingularTests
from dbt.tests.adapter.basic.test_singular_tests_ephemeral import BaseSingularTestsEphemeral
from dbt.tests.adapter.basic.test_snapshot_check_cols import BaseSnapshotCheckCols
from dbt.tests.adapter.basic.test_snapshot_timestamp import BaseSnapshotTimestamp
from dbt.tests.adapter.basic.test_table_materialization import BaseTableMaterialization
from dbt.tests.adapter.basic.test_validate_connection import BaseValidateConnection
from dbt.tests.adapter.constraints.test_constraints import (
    BaseConstraintsRollback,
    BaseIncrementalConstraintsColumnsEqual,
    BaseIncrementalConstraintsRollback,
    BaseIncrementalForeignKeyConstraint,
    BaseTableConstraintsColumnsEqual,
)
from dbt.tests.adapter.empty.test_empty import BaseTestEmpty, BaseTestEmptyInlineSourceRef
from dbt.tests.adapter.incremental import test_incremental_unique_id
from dbt.tests.adapter.incremental.test_incremental_merge_exclude_columns import (
    BaseMergeExcludeColumns,
)
from dbt.tests.adapter.incremental.test_incremental_microbatch import BaseMicrobatch
from dbt.tests.adapter.incremental.test_incremental_on_schema_change import (
    BaseIncrementalOnSchemaChange,
)
from dbt.tests.adapter.incremental.test_incremental_predicates import BaseIncrementalPredicates
from dbt.tests.adapter.incremental.test_incremental_unique_id import BaseIncrementalUniqueKey
from dbt.tests.adapter.python_model import test_spark
from dbt.tests.adapter.python_model.test_python_model import (
    BasePythonEmptyTests,
    BasePythonIncrementalTests,
    BasePythonMetaGetTests,
    BasePythonModelTests,
    BasePythonSampleTests,
)
from dbt.tests.adapter.simple_snapshot import test_various_configs
from dbt.tests.adapter.simple_snapshot.new_record_check_mode import BaseSnapshotNewRecordCheckMode
from dbt.tests.adapter.simple_snapshot.new_record_timestamp_mode import (
    BaseSnapshotNewRecordTimestampMode,
)
from dbt.tests.adapter.simple_snapshot.test_ephemeral_snapshot_hard_deletes import (
    BaseSnapshotEphemeralHardDeletes,
    BaseSnapshotNewColumnSpecificCheckCols,
    BaseSnapshotNewColumnTimestampStrategy,
    BaseSnapshotNewColumnWithDeletes,
)
from dbt.tests.adapter.simple_snapshot.test_snapshot import BaseSimpleSnapshot, BaseSnapshotCheck
from dbt.tests.adapter.simple_snapshot.test_various_configs import (
    BaseSnapshotColumnNames,
    BaseSnapshotColumnNamesFromDbtProject,
    BaseSnapshotDbtValidToCurrent,
    BaseSnapshotInvalidColumnNames,
    BaseSnapshotMultiUniqueKey,
)
from dbt.tests.adapter.unit_testing.test_case_insensitivity import BaseUnitTestCaseInsensivity
from dbt.tests.adapter.unit_testing.test_invalid_input import BaseUnitTestInvalidInput
from dbt.tests.adapter.unit_testing.test_quoted_reserved_word_column_names import (
    BaseUnitTestQuotedReservedWordColumnNames,
    my_model_sql,
    my_upstream_model_with_reserved_word_column_name_sql,
    test_my_model_csv_fixtures_yml,
)
from dbt.tests.adapter.unit_testing.test_types import (
    BaseUnitTestingTypes,
    BaseUnitTestingVarcharFixtureNoTruncation,
)
from dbt.tests.fixtures.project import TestProjInfo
from dbt_spark_contracts.adapter import SparkAdapter

from tests.support import pandas_on_spark


@pytest.fixture(scope="class")
def logs_dir(tmp_path_factory):
    """Yield dbt's log folder, which is outside this repository."""
    folder = str(tmp_path_factory.mktemp("logs"))
    os.environ["DBT_LOG_PATH"] = folder
    yield folder
    del os.environ["DBT_LOG_PATH"]


@pytest.fixture(scope="class")
def dbt_profile_target(spark):
    """Return a target with the running session's catalog. The plugin refuses a second one."""
    reset_adapters()  # otherwise dbt's fixtures reuse the adapter of another project
    settings = spark.sparkContext.getConf().getAll()
    return {
        "type": "spark",
        "method": "session",
        "host": "localhost",
        "threads": 4,
        "server_side_parameters": {
            name: value
            for name, value in settings
            if name.startswith(("spark.sql.", "spark.checkp"))
        },
    }


@pytest.fixture(scope="module", autouse=True)
def cascade():
    """Drop the tables before a schema, because Iceberg's catalogs do not support `cascade`."""
    drop = SparkAdapter.drop_schema

    def drop_tables_first(adapter, relation):
        for table in adapter.list_relations_without_caching(relation):
            adapter.drop_relation(table)
        drop(adapter, relation)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SparkAdapter, "drop_schema", drop_tables_first)
        yield


class OnIceberg:
    """A project of dbt's suites with Iceberg tables."""

    @staticmethod
    def config() -> dict:
        iceberg = {"+file_format": "iceberg"}
        return {"models": {**iceberg, "+materialized": "table"}, "seeds": iceberg}

    @pytest.fixture(scope="class")
    def project_config_update(self):
        return self.config()


# Python models


class TestPythonModel(OnIceberg, BasePythonModelTests):
    pass


class TestPythonIncremental(OnIceberg, BasePythonIncrementalTests):
    pass


@pytest.mark.slow
class TestPythonMetaGet(OnIceberg, BasePythonMetaGetTests):
    pass


class TestPythonSample(OnIceberg, BasePythonSampleTests):
    pass


class TestPythonEmpty(OnIceberg, BasePythonEmptyTests):
    def test_empty_mode(self, project):
        """Expect no rows. dbt's own test expects them, because `--empty` skips Python models."""
        for arguments, rows in ((["run"], 3), (["run", "--empty"], 0)):
            run_dbt(arguments)
            self.assert_row_count(project, "model_that_refs_input", rows)


class TestPySpark(OnIceberg, test_spark.BasePySparkTests):
    @pytest.fixture(scope="class")
    def models(self):
        models = {
            "pandas_df.py": test_spark.PANDAS_MODEL,
            "pyspark_df.py": test_spark.PYSPARK_MODEL,
            "pandas_on_spark_df.py": test_spark.PANDAS_ON_SPARK_MODEL,
        }
        return {file: model for file, model in models.items() if file[:-3] in self.names()}

    def test_different_dataframes(self, project):
        assert len(run_dbt(["run"])) == len(self.names())
        check_relation_types(project.adapter, dict.fromkeys(self.names(), "table"))
        rows = [
            project.run_sql(f"select * from {{schema}}.{name}", fetch="all")
            for name in self.names()
        ]
        assert rows[0] and all(sorted(other) == sorted(rows[0]) for other in rows)

    def names(self):
        more = ["pandas_on_spark_df"] if pandas_on_spark.IMPORTABLE else []
        return ["pandas_df", "pyspark_df", *more]


# Tables


class TestTable(OnIceberg, BaseTableMaterialization):
    pass


class TestNoModels(OnIceberg, BaseEmpty):
    pass


class TestEphemeral(OnIceberg, BaseEphemeral):
    @pytest.fixture(scope="class")
    def models(self):
        return {
            "ephemeral.sql": files.base_ephemeral_sql,
            "view_model.sql": files.ephemeral_table_sql,  # no view
            "table_model.sql": files.ephemeral_table_sql,
            "schema.yml": files.schema_base_yml,
        }


class TestSingularTests(OnIceberg, BaseSingularTests):
    pass


@pytest.mark.slow
class TestSingularTestsEphemeral(OnIceberg, BaseSingularTestsEphemeral):
    pass


class TestGenericTests(OnIceberg, BaseGenericTests):
    @pytest.fixture(scope="class")
    def models(self):
        return {
            "view_model.sql": files.base_table_sql,  # no view
            "table_model.sql": files.base_table_sql,
            "schema.yml": files.schema_base_yml,
            "schema_view.yml": files.generic_test_view_yml,
            "schema_table.yml": files.generic_test_table_yml,
        }


class TestValidateConnection(OnIceberg, BaseValidateConnection):
    pass


# Incremental tables


class TestIncremental(OnIceberg, BaseIncremental):
    pass


class TestIncrementalNotSchemaChange(OnIceberg, BaseIncrementalNotSchemaChange):
    pass


class TestIncrementalBadStrategy(OnIceberg, BaseIncrementalBadStrategy):
    def test_incremental_invalid_strategy(self, project):
        """Expect the error on the first run, with dbt-spark's message."""
        run_dbt(["seed"])
        result = run_dbt(["run"], expect_pass=False).results[0]
        assert "Invalid incremental strategy provided: bad_strategy" in result.message


@pytest.mark.full
class TestIncrementalUniqueKey(OnIceberg, BaseIncrementalUniqueKey):
    @pytest.fixture(scope="class")
    def seeds(self):
        dates = re.compile(r"'(\d{4}-\d\d-\d\d)'")  # Spark inserts no strings into date columns
        return {
            "seed.csv": test_incremental_unique_id.seeds__seed_csv,
            "duplicate_insert.sql": dates.sub(
                r"date '\1'", test_incremental_unique_id.seeds__duplicate_insert_sql
            ),
            "add_new_rows.sql": dates.sub(
                r"date '\1'", test_incremental_unique_id.seeds__add_new_rows_sql
            ),
        }


@pytest.mark.slow
class TestMergeExcludeColumns(OnIceberg, BaseMergeExcludeColumns):
    pass


@pytest.mark.slow
class TestIncrementalOnSchemaChange(OnIceberg, BaseIncrementalOnSchemaChange):
    def test_run_incremental_append_new_columns(self, project):
        # Without the model that lacks a column, because dbt-spark inserts all columns of the table.
        self.run_incremental_append_new_columns(project)


@pytest.mark.slow
class TestIncrementalPredicates(OnIceberg, BaseIncrementalPredicates):
    @pytest.fixture(scope="class")
    def project_config_update(self):
        config = OnIceberg.config()
        config["models"]["+incremental_predicates"] = ["DBT_INTERNAL_DEST.id != 2"]
        return config


@pytest.mark.slow
class TestMicrobatch(OnIceberg, BaseMicrobatch):
    pass


# Snapshots


# Translates the PostgreSQL dialect of the suites to Spark's.
IN_SPARK = {
    r"(`?None`?|\{database\})\.": "",
    r"(?i)\btimestamp without time zone\b": "timestamp",
    r"\bTEXT\b": "string",
    r"(\w+)::text": r"cast(\1 as string)",
    r"(\w+)::(\w+)": r"cast(\1 as \2)",
    r"(?<!timestamp )('\d{4}-\d\d-\d\d \d\d:\d\d:\d\d')": r"timestamp \1",
    r" default ('\w+'|null)": "",  # an Iceberg table of version 2 has no defaults
}


@pytest.mark.slow
class SnapshotsOnIceberg(OnIceberg):
    @staticmethod
    def config() -> dict:
        return {**OnIceberg.config(), "snapshots": {"+file_format": "iceberg"}}

    @pytest.fixture(scope="class")
    def dbt_project_yml(self, dbt_project_yml, snapshots):
        for file, code in snapshots.items():
            snapshots[file] = code.replace("{{target.database}}.", "")
        return dbt_project_yml

    @pytest.fixture(scope="class", autouse=True)
    def in_spark(self):
        run_sql = TestProjInfo.run_sql

        def translated(project, sql, fetch=None):
            for pattern, replacement in IN_SPARK.items():
                sql = re.sub(pattern, replacement, sql)
            *before, last = [part for part in sql.split(";") if part.strip()]
            for statement in before:
                run_sql(project, statement)
            return run_sql(project, last, fetch)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TestProjInfo, "run_sql", translated)
            yield


@pytest.mark.full
class TestSnapshotCheckCols(SnapshotsOnIceberg, BaseSnapshotCheckCols):
    pass


@pytest.mark.full
class TestSnapshotTimestamp(SnapshotsOnIceberg, BaseSnapshotTimestamp):
    pass


class TestSimpleSnapshot(SnapshotsOnIceberg, BaseSimpleSnapshot):
    pass


class TestSnapshotCheck(SnapshotsOnIceberg, BaseSnapshotCheck):
    pass


@pytest.mark.full
class TestSnapshotEphemeralHardDeletes(SnapshotsOnIceberg, BaseSnapshotEphemeralHardDeletes):
    pass


@pytest.mark.full
class TestSnapshotNewColumnTimestamp(SnapshotsOnIceberg, BaseSnapshotNewColumnTimestampStrategy):
    pass


@pytest.mark.full
class TestSnapshotNewColumnCheck(SnapshotsOnIceberg, BaseSnapshotNewColumnSpecificCheckCols):
    pass


@pytest.mark.full
class TestSnapshotNewColumnWithDeletes(SnapshotsOnIceberg, BaseSnapshotNewColumnWithDeletes):
    pass


class TestSnapshotColumnNames(SnapshotsOnIceberg, BaseSnapshotColumnNames):
    pass


@pytest.mark.full
class TestSnapshotColumnNamesInProject(SnapshotsOnIceberg, BaseSnapshotColumnNamesFromDbtProject):
    @staticmethod
    def config() -> dict:
        names = ("dbt_valid_to", "dbt_valid_from", "dbt_scd_id", "dbt_updated_at")
        columns = {name: name.replace("dbt_", "test_") for name in names}
        snapshots = {"+file_format": "iceberg", "+snapshot_meta_column_names": columns}
        return {**OnIceberg.config(), "snapshots": snapshots}


class TestSnapshotInvalidColumnNames(SnapshotsOnIceberg, BaseSnapshotInvalidColumnNames):
    @pytest.fixture(autouse=True)
    def still_on_iceberg(self, monkeypatch):
        """Keep the file format, which the test drops when it rewrites the project's settings."""
        update = test_various_configs.update_config_file

        def with_format(changes, *file):
            changes = {**changes, "snapshots": {**changes["snapshots"], "+file_format": "iceberg"}}
            return update(changes, *file)

        monkeypatch.setattr(test_various_configs, "update_config_file", with_format)


class TestSnapshotValidToCurrent(SnapshotsOnIceberg, BaseSnapshotDbtValidToCurrent):
    @pytest.fixture(autouse=True)
    def in_order(self, monkeypatch):
        """Order the rows. dbt's test relies on the insertion order, which Spark does not keep."""
        table = "{schema}.snapshot_actual"
        version = "row_number() over (partition by id order by test_valid_from) as version"
        ordered = f"(select *, {version} from {table}) order by version, id"
        run = test_various_configs.run_sql_with_adapter
        monkeypatch.setattr(
            test_various_configs,
            "run_sql_with_adapter",
            lambda adapter, sql, fetch: run(adapter, sql.replace(table, ordered), fetch),
        )


class TestSnapshotMultiUniqueKey(SnapshotsOnIceberg, BaseSnapshotMultiUniqueKey):
    pass


@pytest.mark.full
class TestSnapshotNewRecordTimestamp(SnapshotsOnIceberg, BaseSnapshotNewRecordTimestampMode):
    pass


@pytest.mark.full
class TestSnapshotNewRecordCheck(SnapshotsOnIceberg, BaseSnapshotNewRecordCheckMode):
    pass


# Contracts


class Contracted(OnIceberg):
    """Contract suites with Spark's types instead of PostgreSQL's."""

    @pytest.fixture(scope="class")
    def dbt_project_yml(self, dbt_project_yml, models):
        models["constraints_schema.yml"] = models["constraints_schema.yml"].replace(
            "text", "string"
        )
        return dbt_project_yml

    @pytest.fixture
    def string_type(self):
        return "string"

    @pytest.fixture
    def int_type(self):
        return "int"

    @pytest.fixture
    def data_types(self):
        """Return each type as SQL, in the contract, and in full as in the error message."""
        return [
            ["1", "int", "int"],
            ["array('1', '2')", "array<string>", "array<string>"],
            ["named_struct('a', 1)", "struct<a:int>", "struct<a:int>"],
            ["6.45", "decimal(3, 2)", "decimal(3,2)"],
            ["cast('2019-01-01' as timestamp)", "timestamp", "timestamp"],
        ]

    @pytest.fixture
    def expected_error_messages(self):
        return ["enforced contract that failed", "| id ", "int not null", "data type mismatch"]


class ColumnsEqual(Contracted):
    def test__constraints_correct_column_data_types(self, project, data_types):
        """Use a new table for each type, because the guard does not change column types."""
        for types in data_types:
            project.run_sql("drop table if exists {schema}.my_model_data_type")
            super().test__constraints_correct_column_data_types(project, [types])


class TestTableContract(ColumnsEqual, BaseTableConstraintsColumnsEqual):
    pass


class TestIncrementalContract(ColumnsEqual, BaseIncrementalConstraintsColumnsEqual):
    pass


class TestTableRollback(Contracted, BaseConstraintsRollback):
    pass


class TestIncrementalRollback(Contracted, BaseIncrementalConstraintsRollback):
    pass


@pytest.mark.slow
class TestIncrementalForeignKey(OnIceberg, BaseIncrementalForeignKeyConstraint):
    pass


# --empty


class TestEmpty(OnIceberg, BaseTestEmpty):
    pass


@pytest.mark.slow
class TestEmptyInlineSourceRef(OnIceberg, BaseTestEmptyInlineSourceRef):
    pass


# Unit tests


@pytest.mark.slow
class TestUnitTestCaseInsensitivity(OnIceberg, BaseUnitTestCaseInsensivity):
    pass


@pytest.mark.slow
class TestUnitTestInvalidInput(OnIceberg, BaseUnitTestInvalidInput):
    pass


@pytest.mark.full
class TestUnitTestingTypes(OnIceberg, BaseUnitTestingTypes):
    @pytest.fixture
    def data_types(self):
        """Return Spark's types as SQL and in YAML."""
        return [
            ["1", "1"],
            ["2.0", "2.0"],
            ["'12345'", "12345"],
            ["'string'", "string"],
            ["true", "true"],
            ["date '2011-11-11'", "2011-11-11"],
            ["timestamp '2013-11-03 00:00:00-0'", "2013-11-03 00:00:00-0"],
            ["array(1, 2, 3)", "'array(1, 2, 3)'"],
            ["map('10', 't', '15', 'f')", """'map("10", "t", "15", "f")'"""],
            ["named_struct('a', 1, 'b', 's')", """'named_struct("a", 1, "b", "s")'"""],
        ]

    def test_unit_test_data_type(self, project, data_types):
        """Use a new table for each type, because the guard does not change column types."""
        for types in data_types:
            project.run_sql("drop table if exists {schema}.my_upstream_model")
            super().test_unit_test_data_type(project, [types])


@pytest.mark.slow
class TestUnitTestingVarchar(OnIceberg, BaseUnitTestingVarcharFixtureNoTruncation):
    pass


@pytest.mark.slow
class TestUnitTestReservedWords(OnIceberg, BaseUnitTestQuotedReservedWordColumnNames):
    @pytest.fixture(scope="class")
    def models(self):
        upstream = my_upstream_model_with_reserved_word_column_name_sql
        return {
            "my_model.sql": my_model_sql,
            "my_upstream_model.sql": upstream.replace('"', "`"),  # as Spark quotes
            "unit_tests.yml": test_my_model_csv_fixtures_yml,
        }
