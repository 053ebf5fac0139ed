"""The private names of dbt that the plugin uses exist, and behave as the plugin expects.

If a test fails after an upgrade of dbt, read dbt's source again before you add the version to
KNOWN_DBT_VERSIONS.
"""

import inspect
import json
from contextlib import contextmanager
from types import SimpleNamespace

import click
import dbt.adapters.spark
import pytest
from dbt.adapters.base.impl import BaseAdapter
from dbt.adapters.factory import FACTORY
from dbt.adapters.spark.connections import SparkConnectionMethod, SparkCredentials
from dbt.artifacts.resources import MacroDependsOn
from dbt.artifacts.resources.types import ModelLanguage
from dbt.artifacts.schemas.results import NodeStatus
from dbt.cli.main import dbtRunner
from dbt.compilation import Compiler
from dbt.context.context_config import ContextConfigGenerator
from dbt.context.providers import RuntimeConfigObject
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.unparsed import UnparsedColumn
from dbt.events.types import NodeFinished
from dbt.exceptions import ParsingError
from dbt.node_types import NodeType
from dbt.parser.common import ParserRef
from dbt.parser.schemas import ModelPatchParser
from dbt.parser.unit_tests import UnitTestManifestLoader
from dbt.plugins.manager import PluginManager, dbtPlugin
from dbt.task.run import RunTask, get_execution_status
from dbt.task.runnable import GraphRunnableTask
from dbt.version import installed
from dbt_common.events.event_manager_client import cleanup_event_logger, get_event_manager
from dbt_common.exceptions import DbtRuntimeError
from dbt_common.semver import VersionSpecifier
from dbt_common.ui import green, red
from dbt_spark_contracts import plugin
from dbt_spark_contracts.adapter import SparkAdapter
from dbt_spark_contracts.compat import dbt_adapters, dbt_core, patches
from dbt_spark_contracts.invocation import Invocation
from dbt_spark_contracts.publish import tell
from dbt_spark_contracts.spark import session

from tests.support.dbt_runner import LOGS, ROOT, environment

pytestmark = pytest.mark.quick

MODEL = "def model(dbt, spark):\n    return spark.range(1)\n"


# The version


def test_the_installed_dbt_is_known():
    dbt_core.require_known_dbt()
    assert f"{installed.major}.{installed.minor}" in dbt_core.KNOWN_DBT_VERSIONS


@pytest.mark.parametrize("version", ["1.10.3", "1.13.0-b1", "2.0.0"])
def test_another_dbt_is_one_line_with_the_way_out(version, monkeypatch, small_project):
    """dbt prints the error before it parses anything."""
    monkeypatch.setattr(dbt_core, "installed", VersionSpecifier.from_version_string(version))
    line = (
        f"dbt-spark-contracts knows dbt-core 1.11 and 1.12, and this is {version}: "
        "install dbt-core~=1.12.0, or a newer dbt-spark-contracts."
    )
    with pytest.raises(DbtRuntimeError) as error:
        dbt_core.require_known_dbt()
    assert error.value.msg == line
    result = small_project({"models/a.py": MODEL})("parse")
    assert not result.success
    assert result.text.count(line) == 2, result.text  # in dbt's log, and in the exception
    assert "Traceback" not in result.text


def test_the_parser_that_is_another_program_is_refused(monkeypatch, small_project):
    """dbt-core 1.12 runs it with --use-v2-parser. It does not support the plugin's macros."""
    monkeypatch.setattr(dbt_core, "get_flags", lambda: SimpleNamespace(USE_V2_PARSER=True))
    says = "does not know the v2 parser: use --no-use-v2-parser"
    with pytest.raises(DbtRuntimeError, match=says):
        dbt_core.require_known_dbt()


# The plugin hook


def test_dbt_finds_the_plugin_by_its_modules_name():
    modules = PluginManager.get_prefixed_modules()
    assert modules["dbt_spark_contracts"].plugins == [plugin.SparkContractsPlugin]
    assert issubclass(plugin.SparkContractsPlugin, dbtPlugin)


def test_a_plugins_error_reaches_the_user_as_it_is():
    """dbt strips the first line of a plugin's error, which a DbtRuntimeError uses for its type."""

    class Fails(dbtPlugin):
        def initialize(self) -> None:
            raise DbtRuntimeError("one line")

    with pytest.raises(DbtRuntimeError) as error:
        Fails("project")
    assert error.value.msg.strip() == "one line"


# The command's profile


def test_there_are_no_credentials_outside_a_command():
    assert dbt_core.current_credentials() is None


@pytest.mark.parametrize("context", [None, {}, {"profile": None}])
def test_there_are_no_credentials_without_a_profile(context):
    with click.Context(click.Command("x"), obj=context):
        assert dbt_core.current_credentials() is None


def test_a_commands_credentials_are_its_profiles(small_project, monkeypatch):
    """The profile is in the click context when plugins start. dbt uses the settings made there."""
    seen = []
    monkeypatch.setattr(session, "configure", lambda settings: seen.append(settings))
    find = dbt_core.current_credentials
    monkeypatch.setattr(dbt_core, "current_credentials", lambda: seen.append(find()) or seen[0])
    result = small_project({"models/a.py": MODEL})("parse")
    assert result.success, result.text
    credentials, settings = seen
    assert isinstance(credentials, SparkCredentials)
    assert credentials.method == SparkConnectionMethod.SESSION == "session"
    assert credentials.server_side_parameters is settings
    assert FACTORY.lookup_adapter("spark").config.credentials.server_side_parameters == settings


@pytest.mark.parametrize("command", ["deps", "clean"])
def test_commands_without_a_profile_are_left_alone(small_project, command, monkeypatch):
    """For these commands, dbt uses an UnsetProfile."""
    monkeypatch.setattr(
        session, "configure", lambda settings: pytest.fail("no profile to configure")
    )
    project = small_project({"models/a.py": MODEL})
    # Not through `project`, because `deps` does not accept all of its options.
    options = ["--project-dir", str(project.project_dir), "--log-path", str(project.target_path)]
    result = dbtRunner().invoke([command, *options])
    assert result.success, result.exception


# The end of a command


@pytest.mark.parametrize(
    ("model", "succeeds"), [("select 1 as id", True), ("{{ nonsense( }}", False)]
)
def test_a_command_ends_with_command_completed(dbt, tmp_path, model, succeeds):
    """The event is fired once, whether the command succeeds or fails."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models/a.sql").write_text(model)
    (tmp_path / "dbt_project.yml").write_text("{name: small, profile: lakehouse}")
    names = []
    runner = dbtRunner(callbacks=[lambda event: names.append(event.info.name)])
    options = ("--project-dir", str(tmp_path), "--profiles-dir", str(ROOT))
    # Spark may already run in this process, with the lakehouse that all tests share.
    with environment(LAKEHOUSE_HOME=str(dbt.home)):
        assert runner.invoke(["parse", *options]).success is succeeds
    assert names.count("CommandCompleted") == 1


def test_what_is_to_be_called_at_the_end_of_a_command_is_called():
    calls = []
    try:
        dbt_core.on_command_completed(lambda: calls.append(1))
        for name, expected in (("MainReportVersion", []), ("CommandCompleted", [1])):
            get_event_manager().callbacks[-1](SimpleNamespace(info=SimpleNamespace(name=name)))
            assert calls == expected
    finally:
        cleanup_event_logger()


@pytest.mark.parametrize(
    ("yml", "success"), [("", True), ("models: [{name: a, columns: nonsense}]", False)]
)
def test_the_callback_is_called_once_however_the_command_ends(
    small_project, monkeypatch, yml, success
):
    """A later command does not call it again: dbt starts each one without earlier callbacks."""
    calls = []
    monkeypatch.setattr(Invocation, "complete", lambda self, settle: calls.append(1))
    project = small_project({"models/a.py": MODEL, "models/a.yml": yml})
    assert project("parse").success == success
    assert calls == [1]
    project("parse")
    assert calls == [1, 1]


def test_the_result_of_a_command_is_reported_in_its_own_thread():
    """dbt fires the event of a result before it processes the result."""
    source = inspect.getsource(GraphRunnableTask.call_runner)
    assert source.index("NodeFinished(") < source.index("_raise_next_tick")
    statuses = (NodeStatus.Error, NodeStatus.Fail, NodeStatus.PartialSuccess)
    assert {*statuses} == {*dbt_core.FATAL}
    for status in ("Error", "Fail", "PartialSuccess"):
        assert f"NodeStatus.{status}" in source
    assert "cancel_open_connections" in inspect.getsource(GraphRunnableTask._cancel_connections)


@pytest.fixture
def run_with(small_project, dbt):
    """Return a function that runs dbt on a small project with what `register` adds to its events.

    `run_with(dbt_core.on_manifest, call, "ls")` returns how the command ended.
    """

    def run(register, call, *args: str):
        project = small_project({"models/a.sql": "select 1 as id"})
        try:
            register(call)
            callback = get_event_manager().callbacks[-1]
        finally:
            cleanup_event_logger()
        options = ("--project-dir", str(project.project_dir), "--profiles-dir", str(ROOT))
        with environment(LAKEHOUSE_TARGET="ci", LAKEHOUSE_HOME=str(dbt.home)):
            return dbtRunner(callbacks=[callback]).invoke([*args, *options])

    return run


def test_the_manifest_is_handed_over_when_dbt_has_counted_it(run_with):
    calls = []
    assert run_with(dbt_core.on_manifest, calls.append, "ls").success
    [manifest] = calls
    assert [*manifest.nodes] == ["model.small.a"]


def test_each_node_is_reported(run_with):
    told = []
    on_athena = ("compile", "--no-introspect", "--target", "athena")
    assert run_with(dbt_core.on_node_finished, lambda *how: told.append(how), *on_athena).success
    [(id, status, relation, _, _, _)] = told
    assert (id, status) == ("model.small.a", "success")
    assert relation.endswith('."a"')


def test_what_is_reported_of_a_node():
    told = []
    node = {"unique_id": "test.small.a", "node_status": "success"}
    result = {"status": "pass", "execution_time": 1.5, "message": "m", "num_failures": 2}
    finished = NodeFinished(node_info=node, run_result=result)
    try:
        dbt_core.on_node_finished(lambda *how: told.append(how))
        for name in ("Other", "NodeFinished"):
            event = SimpleNamespace(info=SimpleNamespace(name=name), data=finished)
            get_event_manager().callbacks[-1](event)
        assert told == [("test.small.a", "pass", "", 1.5, "m", 2)]
    finally:
        cleanup_event_logger()


@pytest.mark.parametrize(
    ("flags", "is_a_part"),
    [
        ({}, False),
        ({"EMPTY": False, "SAMPLE": None}, False),
        ({"EMPTY": True}, True),
        ({"SAMPLE": "3 days"}, True),
    ],
)
def test_a_part_for_a_try_is_known_by_dbts_flags(monkeypatch, flags, is_a_part):
    monkeypatch.setattr(dbt_core, "get_flags", lambda: SimpleNamespace(**flags))
    assert dbt_core.builds_a_part() is is_a_part


def test_dbt_makes_a_result_of_what_a_hook_executes():
    """dbt passes the text of the hook to the adapter unchanged."""
    patches.undo()
    assert list(inspect.signature(RunTask.get_hook_sql).parameters) == [
        *("self", "adapter", "hook", "idx", "num_hooks", "extra_context"),
    ]
    refused = dbt_core.Refused("no")

    class Adapter:
        def execute(self, sql, **_):
            assert sql is refused
            raise DbtRuntimeError("one line")

    assert get_execution_status(refused, Adapter()) == ("error", "one line")


# Columns and ephemeral models


def test_dbt_drops_what_else_a_columns_config_says():
    patches.undo()
    column = UnparsedColumn(name="x", config={"meta": {"a": 1}, "own": True, "other": True})

    def extra() -> dict:
        return ParserRef.from_target(SimpleNamespace(columns=[column])).column_info["x"].extra

    assert extra() == {}
    dbt_core.keep_in_columns(["own"])
    assert extra() == {"own": True}


def test_dbt_merges_meta_by_its_keys_only():
    patches.undo()
    generator = ContextConfigGenerator(
        SimpleNamespace(credentials=SimpleNamespace(type="spark", translate_aliases=dict))
    )
    parameters = ["self", "result", "partial", "validate"]
    update = ContextConfigGenerator._update_from_config
    assert list(inspect.signature(update).parameters) == parameters

    def merged() -> dict:
        levels = [{"meta": {"own": {"a": 1, "b": 1}, "other": {"a": 1}}}]
        levels.append({"meta": {"own": {"b": 2}, "other": {"b": 2}}})
        config = generator.initial_result(NodeType.Model, base=False)
        for level in levels:
            config = generator._update_from_config(config, level)
        return config.meta

    assert merged() == {"own": {"b": 2}, "other": {"b": 2}}
    dbt_core.merge_meta("own")
    assert merged() == {"own": {"a": 1, "b": 2}, "other": {"b": 2}}
    patches.undo()


def test_an_ephemeral_model_is_compiled_within_what_is_asked_for(monkeypatch):
    patches.undo()
    parameters = ["self", "node", "manifest", "extra_context"]
    assert list(inspect.signature(Compiler._compile_code).parameters) == parameters
    seen: list[str] = []
    monkeypatch.setattr(Compiler, "_compile_code", lambda self, node, *_: seen.append("compiled"))

    @contextmanager
    def around(unique_id):
        seen.append(unique_id)
        yield
        seen.append("after")

    dbt_core.around_each_ephemeral_model(around)
    for is_ephemeral in (True, False):
        node = SimpleNamespace(unique_id="model.p.m", is_ephemeral_model=is_ephemeral)
        Compiler(None)._compile_code(node, None)
    assert seen == ["model.p.m", "compiled", "after", "compiled"]
    patches.undo()


# The package of macros

TABLE = "materialization_table_spark"
OWN_TABLE = "{% materialization table, adapter='spark' %}{% endmaterialization %}"


def manifest_of(project) -> Manifest:
    return Manifest.from_dict(json.loads((project.target_path / "manifest.json").read_text()))


@pytest.mark.parametrize(
    ("files", "package"), [({}, "dbt_spark_contracts"), ({"macros/table.sql": OWN_TABLE}, "small")]
)
def test_a_materialization_is_ours_but_where_the_project_has_its_own(small_project, files, package):
    project = small_project({"models/a.sql": "select 1 as id", **files})
    assert project("parse").success
    found = manifest_of(project).find_materialization_macro_by_name("small", "table", "spark")
    assert found.unique_id == f"macro.{package}.{TABLE}"


def test_dbt_sparks_own_materializations_remain_available(small_project):
    project = small_project({"models/a.sql": "select 1 as id"})
    assert project("parse").success
    manifest = manifest_of(project)
    assert f"macro.dbt_spark.{TABLE}" in manifest.macros
    found = manifest.find_materialization_macro_by_name("small", "clone", "spark")
    assert found.package_name == "dbt_spark"


def test_another_adapters_packages_are_its_own():
    patches.undo()
    dbt_adapters.use_package("spark")
    FACTORY.load_plugin("spark")
    assert FACTORY.get_adapter_package_names("spark")[:2] == ["dbt_spark_contracts", "dbt_spark"]
    assert "dbt_spark_contracts" not in FACTORY.get_adapter_package_names(None)


# The adapter


def test_dbt_instantiates_what_plugin_adapter_says(monkeypatch):
    class Another(dbt.adapters.spark.SparkAdapter):
        pass

    monkeypatch.setattr(dbt.adapters.spark.Plugin, "adapter", dbt.adapters.spark.Plugin.adapter)
    dbt_adapters.use_adapter(Another)
    FACTORY.load_plugin("spark")
    assert FACTORY.get_adapter_class_by_name("spark") is Another


def test_our_adapter_takes_the_place_of_dbt_sparks(small_project):
    assert small_project({"models/a.py": MODEL})("parse").success
    assert type(FACTORY.lookup_adapter("spark")) is SparkAdapter
    assert issubclass(SparkAdapter, dbt.adapters.spark.SparkAdapter)
    assert "session" in FACTORY.lookup_adapter("spark").python_submission_helpers


def test_dbt_finds_a_relation_by_the_method_that_ours_takes_the_place_of():
    """dbt also calls the adapter before each model, and the config it passes has the model."""
    find = inspect.signature(BaseAdapter._make_match)
    assert list(find.parameters) == ["self", "relations_list", "database", "schema", "identifier"]
    assert list(inspect.signature(BaseAdapter.pre_model_hook).parameters) == ["self", "config"]
    assert RuntimeConfigObject(SimpleNamespace(), None).model is not None


@pytest.mark.parametrize("name", ["get_schema"])
def test_macros_may_call_our_methods_and_get_a_list_when_dbt_parses(name):
    assert name in SparkAdapter._available_
    assert SparkAdapter._parse_replacements_[name]() == []


# The refusal of contracts on Python models


def node(language: ModelLanguage):
    """Return the attributes of a model that the check reads."""
    return SimpleNamespace(
        language=language,
        columns={"id": SimpleNamespace(constraints=[])},
        constraints=[],
        config=SimpleNamespace(materialized="table"),
        original_file_path="models/a.py",
        depends_on=MacroDependsOn(),
    )


def parser(calls: list[str] | None):
    """Return the attributes of a parser that the check reads.

    Args:
        calls: The macros that the materialization calls, or None if there is no materialization.
    """
    return parser_of(None if calls is None else macro("p", "m", calls))


def macro(package: str, name: str, calls: list[str]):
    """Return the attributes of a macro that the check reads."""
    return SimpleNamespace(
        unique_id=f"macro.{package}.{name}",
        package_name=package,
        depends_on=SimpleNamespace(macros=calls),
        supported_languages=[ModelLanguage.python],
    )


def parser_of(materialization, *others, adapter: str = "spark"):
    """Return a parser that finds this materialization. `others` are more macros of the manifest."""
    manifest = SimpleNamespace(
        find_materialization_macro_by_name=lambda *args: materialization,
        macros={other.unique_id: other for other in others},
    )
    project = SimpleNamespace(project_name="p", credentials=SimpleNamespace(type=adapter))
    return SimpleNamespace(manifest=manifest, root_project=project)


def test_dbt_refuses_python_models_by_itself():
    """The plugin lifts this refusal. If dbt drops it, the patch can be removed."""
    patches.undo()
    refuse = ModelPatchParser._validate_constraint_prerequisites
    assert list(inspect.signature(refuse).parameters) == ["self", "model_node"]
    refuse(parser(None), node(ModelLanguage.sql))
    with pytest.raises(ParsingError, match="Expected 'sql' but found 'python'"):
        refuse(parser(None), node(ModelLanguage.python))


def test_the_refusal_is_lifted_where_the_check_is():
    dbt_core.allow_contracts_on_python_models()
    check = ModelPatchParser._validate_constraint_prerequisites
    model = node(ModelLanguage.python)
    check(
        parser(
            [
                "macro.small.contracts__staged_view",
                "macro.small.contracts__check_staged_against_contract",
            ]
        ),
        model,
    )
    assert model.language == ModelLanguage.python
    assert model.depends_on.macros == ["macro.p.m"]
    check(parser(None), node(ModelLanguage.sql))


@pytest.mark.parametrize(
    "calls",
    [
        None,
        [],
        [
            "macro.small.contracts__staged_view",
            "macro.small.do_not_contracts__check_staged_against_contract",
        ],
    ],
)
def test_the_refusal_stays_where_it_is_not(calls):
    dbt_core.allow_contracts_on_python_models()
    with pytest.raises(ParsingError, match="Expected 'sql' but found 'python'"):
        ModelPatchParser._validate_constraint_prerequisites(
            parser(calls), node(ModelLanguage.python)
        )


def test_a_contract_without_columns_is_parsed_while_contracts_are_written():
    dbt_core.allow_contracts_on_python_models()
    model = node(ModelLanguage.sql)
    model.columns = {}
    with dbt_core.unwritten_contracts_allowed():
        ModelPatchParser._validate_constraint_prerequisites(parser(None), model)
    with pytest.raises(ParsingError, match="must be defined in a `yml`"):
        ModelPatchParser._validate_constraint_prerequisites(parser(None), model)


# The same on Athena, where dbt-athena's materializations write through a macro of the project

ATHENAS = macro("dbt_athena", "materialization_table_athena", [])
CHECKS = ["macro.p.contracts__py_check_against_contract"]


def test_on_athena_it_is_lifted_where_the_projects_writer_checks():
    dbt_core.allow_contracts_on_python_models()
    model = node(ModelLanguage.python)
    writer = macro("p", "athena__py_save_table_as", CHECKS)
    ModelPatchParser._validate_constraint_prerequisites(
        parser_of(ATHENAS, writer, adapter="athena"), model
    )
    assert model.language == ModelLanguage.python
    assert model.depends_on.macros == [writer.unique_id]


@pytest.mark.parametrize(
    ("materialization", "writers"),
    [
        (ATHENAS, []),
        (ATHENAS, [macro("dbt_athena", "athena__py_save_table_as", CHECKS)]),
        (ATHENAS, [macro("other", "athena__py_save_table_as", CHECKS)]),
        (ATHENAS, [macro("p", "athena__py_save_table_as", ["macro.p.do_not_check"])]),
        # A materialization of the project itself may write in any way.
        (
            macro("p", "materialization_table_athena", []),
            [macro("p", "athena__py_save_table_as", CHECKS)],
        ),
        (None, [macro("p", "athena__py_save_table_as", CHECKS)]),
    ],
)
def test_on_athena_it_stays_where_it_does_not(materialization, writers):
    dbt_core.allow_contracts_on_python_models()
    with pytest.raises(ParsingError, match="Expected 'sql' but found 'python'"):
        ModelPatchParser._validate_constraint_prerequisites(
            parser_of(materialization, *writers, adapter="athena"), node(ModelLanguage.python)
        )


@pytest.fixture
def on_athena(small_project):
    """Return a project with a contracted Python model, and a function that runs dbt on Athena."""
    contract = {
        "name": "a",
        "config": {"contract": {"enforced": True}},
        "columns": [{"name": "id", "data_type": "bigint"}],
    }
    files = {"models/a.py": MODEL, "models/a.yml": json.dumps({"models": [contract]})}
    project = small_project(files)
    return project, lambda *args: project(*args, "--target", "athena")


def test_on_athena_a_project_parses_offline_with_our_writer_and_with_no_other(on_athena):
    project, dbt = on_athena
    result = dbt("parse")
    assert result.success, result.text
    own = project.project_dir / "macros/own.sql"
    own.parent.mkdir()
    own.write_text("{% macro athena__py_save_table_as(code, relation) %}{% endmacro %}")
    result = dbt("parse")
    assert not result.success
    assert "athena__py_save_table_as" in result.text


def test_dbt_athenas_materializations_write_by_the_macro_that_ours_takes_the_place_of(on_athena):
    project, dbt = on_athena
    assert dbt("parse").success
    manifest = Manifest.from_dict(json.loads((project.target_path / "manifest.json").read_text()))
    package = f"macro.{dbt_core.ATHENA_PACKAGE}"
    steps = ["safe_create_table_as", "create_table_as"]
    for name in ("table", "incremental"):
        caller = manifest.find_materialization_macro_by_name("small", name, "athena")
        assert caller.package_name == dbt_core.ATHENA_PACKAGE
        for step in steps:
            assert f"{package}.{step}" in caller.depends_on.macros
            caller = manifest.macros[f"{package}.{step}"]
        assert caller.depends_on.macros == ["macro.small.athena__create_table_as"]
    theirs = manifest.macros[f"{package}.athena__create_table_as"]
    assert f"{package}.{dbt_core.ATHENA_WRITER}" in theirs.depends_on.macros
    # dbt resolves this macro to the project's macro of the same name.
    writer = manifest.macros[f"macro.small.{dbt_core.ATHENA_WRITER}"]
    assert dbt_core.ATHENA_CONTRACT_CHECK in str(writer.depends_on.macros)


def test_dbts_own_demands_stay():
    """A contract must list its columns, for Python models as for SQL models."""
    dbt_core.allow_contracts_on_python_models()
    model = node(ModelLanguage.python)
    model.columns = {}
    with pytest.raises(ParsingError, match="Constraints must be defined in a `yml`"):
        ModelPatchParser._validate_constraint_prerequisites(
            parser(["macro.small.contracts__check_staged_against_contract"]), model
        )


def test_what_is_patched_is_one_commands(small_project):
    """The next command in the process starts with dbt's own code, for any number of projects."""

    def patched() -> list:
        return [
            ModelPatchParser._validate_constraint_prerequisites,
            Manifest.find_materialization_macro_by_name,
            UnitTestManifestLoader.parse_unit_test_case,
            Compiler._compile_code,
            dbt.adapters.spark.Plugin.adapter,
            FACTORY.get_adapter_package_names(None),
        ]

    patches.undo()
    stock = patched()
    assert stock[4].__module__ == "dbt.adapters.spark.impl"
    project = small_project({"models/a.py": MODEL})
    for _ in range(2):
        assert project("parse").success
        assert not any(ours is theirs for ours, theirs in zip(patched()[:5], stock, strict=False))
    patches.undo()
    assert patched() == stock


@pytest.mark.parametrize("colors", ["--use-colors", "--no-use-colors"])
def test_only_the_terminal_shows_an_outcome_in_color(small_project, capsys, colors):
    """The terminal shows dbt's colors if they are on. The log file and callbacks get plain text."""
    log = LOGS / "dbt.log"
    assert small_project({})("parse", colors).success
    capsys.readouterr()
    for line in ("Published 3 tables.", "Nothing was published: no.", "Readers saw it."):
        tell.outcome(line)
    shown = [line.partition("  ")[2] for line in capsys.readouterr().out.splitlines()]
    plain = ["Published 3 tables.", "Nothing was published: no.", "Readers saw it."]
    colored = [green(plain[0]), red(plain[1]), plain[2]]
    assert shown == (colored if colors == "--use-colors" else plain)
    assert ("\x1b" in "".join(shown[:2])) == (colors == "--use-colors")
    written = [line.rpartition("]: ")[2] for line in log.read_text().splitlines()[-3:]]
    assert written == plain
    # After a command, other code in the process can still print lines.
    tell.line("Published 3 tables.")
    assert capsys.readouterr().out.endswith("  Published 3 tables.\n")


def test_materializations_are_found_by_name_and_know_what_they_call(small_project):
    """The manifest provides both as soon as macros are parsed."""
    find = inspect.signature(Manifest.find_materialization_macro_by_name)
    assert list(find.parameters)[1:] == ["project_name", "materialization_name", "adapter_type"]
    project = small_project({"models/a.py": MODEL})
    assert project("parse").success
    manifest = Manifest.from_dict(json.loads((project.target_path / "manifest.json").read_text()))
    for name, expected in {"table": True, "incremental": True, "clone": False}.items():
        macro = manifest.find_materialization_macro_by_name("small", name, "spark")
        called = dbt_core.calls(macro, dbt_core.CONTRACT_CHECK, manifest.macros)
        assert called == expected, name
    assert manifest.find_materialization_macro_by_name("small", "nonsense", "spark") is None


@pytest.fixture(scope="module")
def manifest_of_places(dbt, tmp_path_factory):
    folder = tmp_path_factory.mktemp("selected")
    files = {
        "dbt_project.yml": "name: small\nprofile: lakehouse\n",
        "models/staging/stg.sql": "select 1 as x",
        "models/staging/inner/deep.sql": "{{ config(tags=['a', 'b']) }} select 1 as x",
        "models/marts/mart.sql": "{{ config(group='finance') }} select 1 as x",
        "models/all.yml": "groups: [{name: finance, owner: {name: F}}]\n"
        "sources: [{name: s, tables: [{name: t}]}]\n"
        "models: [{name: stg, columns: [{name: x, data_tests: [not_null]}]}]\n",
        "seeds/countries.csv": "code\nde\n",
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    options = ("--project-dir", str(folder), "--profiles-dir", str(ROOT), "--log-path", str(folder))
    with environment(LAKEHOUSE_TARGET="ci", LAKEHOUSE_HOME=str(dbt.home)):
        parsed = dbtRunner().invoke(["parse", *options])
    assert parsed.success, parsed.exception
    return parsed.result, folder


@pytest.mark.parametrize(
    ("word", "names"),
    {
        "staging": {"stg", "deep"},
        "small.staging.inner": {"deep"},
        "stg": {"stg"},
        "path:models/staging": {"stg", "deep"},
        "models/marts": {"mart"},
        "file:deep.sql": {"deep"},
        "tag:a": {"deep"},
        "group:finance": {"mart"},
        "package:small": {"stg", "deep", "mart", "countries", "t"},
        "config.materialized:seed": {"countries"},
        "source:s.t": {"t"},
        "none": set(),
    }.items(),
)
def test_words_of_node_selection(manifest_of_places, word, names):
    """The selection works from any folder, and excludes tests attached to models."""
    manifest, root = manifest_of_places
    assert {key.split(".")[-1] for key in dbt_core.selected(manifest, root, word)} == names


@pytest.mark.parametrize("word", ["stg+", "+stg", "@stg", "stg deep", "stg,deep", "state:new"])
def test_invalid_place_is_refused(manifest_of_places, word):
    with pytest.raises(DbtRuntimeError, match="is not one word of dbt's node selection"):
        dbt_core.selected(*manifest_of_places, word)
