"""`stays_in` limits where a marked column may be, in a project with one schema for all models."""

import pytest
import yaml

from tests.support.dbt_runner import make_project

STAGING = "path:models/staging"
FROM = "from {{ ref('stg_users') }}"
USERS = "select 'e' as email, 'i' as id, 'n' as name, 'k' as key"

# By model: its query, the marks of its columns, and the error message (None if it passes).
MODELS = {
    # Inside the place, a column needs the same mark.
    "staging/marked": (
        f"select email as mail, md5(email) as h, id {FROM}",
        {"mail": {"stays_in": STAGING}, "id": {"stays_in": ["staging", "tag:inner"]}},
        None,
    ),
    "staging/not_marked": (
        f"select email as mail {FROM}",
        {},
        "not_marked.mail is stg_users.email under another name, and is not marked "
        f"stays_in: {STAGING}",
    ),
    "staging/marked_for_more": (
        f"select email as mail {FROM}",
        {"mail": {"stays_in": "schema"}},
        "marked_for_more.mail is stg_users.email under another name, but its mark names a larger "
        f"place: mark it stays_in: {STAGING}",
    ),
    # Outside the place, in the same schema.
    "marts/renamed": (
        f"select email as mail {FROM}",
        {},
        f"renamed.mail is stg_users.email under another name (stays_in: {STAGING})",
    ),
    "marts/renamed_and_marked": (
        f"select email as mail {FROM}",
        {"mail": {"stays_in": "schema"}},
        "renamed_and_marked.mail is stg_users.email under another name",
    ),
    "marts/trimmed": (
        f"select trim(email) as mail {FROM}",
        {},
        f"trimmed.mail is made of stg_users.email, which is stays_in: {STAGING}, and reveals it",
    ),
    "marts/hashed": (f"select md5(email) as h, count(email) as n {FROM} group by 1", {}, None),
    "marts/by_python": (None, {}, "by_python.mail is stg_users.email under another name"),
    # A column with several places.
    "marts/inner": (f"select id {FROM}", {"id": {"stays_in": "tag:inner"}}, None),
    "marts/outer": (f"select id {FROM}", {}, "outer.id is stg_users.id"),
    # Personal data may have a place too.
    "marts/personal": (
        f"select md5(name) as name {FROM}",
        {"name": {"pii": True}},
        "personal.name is made of stg_users.name, which is personal (pii)",
    ),
    # Through another model or a snapshot.
    "marts/of_the_marked": (
        "select mail as m from {{ ref('marked') }}",
        {},
        "of_the_marked.m is marked.mail under another name",
    ),
    "marts/of_the_history": (
        "select email as m from {{ ref('history') }}",
        {},
        "of_the_history.m is history.email under another name",
    ),
}
MARKS = {
    "email": {"stays_in": STAGING},
    "id": {"stays_in": ["staging", "tag:inner"]},
    "name": {"pii": True, "stays_in": "staging"},
}


def columns(marks):
    return [{"name": name, "config": {"meta": meta}} for name, meta in marks.items()]


@pytest.fixture(scope="module")
def built(dbt, tmp_path_factory, module_schema):
    files = {
        "models/staging/stg_users.sql": USERS,
        "models/staging/history.yml": yaml.safe_dump(
            {
                "snapshots": [
                    {
                        "name": "history",
                        "relation": "ref('stg_users')",
                        "config": {
                            **{"strategy": "check", "unique_key": "key", "check_cols": "all"},
                            **{"file_format": "iceberg", "schema": None},
                        },
                    }
                ]
            }
        ),
    }
    models = [{"name": "stg_users", "columns": columns(MARKS)}]
    for path, (query, marks, _) in MODELS.items():
        name = path.partition("/")[2]
        config = {"tags": ["inner"]} if name == "inner" else {}
        models.append({"name": name, "columns": columns(marks), "config": config})
        if query is None:
            files[f"models/{path}.py"] = (
                "def model(dbt, spark):\n"
                '    return dbt.ref("stg_users").selectExpr("email as mail")\n'
            )
        else:
            files[f"models/{path}.sql"] = query
    files["models/models.yml"] = yaml.safe_dump({"models": models})
    project = make_project(dbt, tmp_path_factory.mktemp("places"), files)
    return project("build", schema=module_schema)


@pytest.mark.parametrize("path", MODELS)
def test_where_a_column_may_be(built, path):
    name = path.partition("/")[2]
    line = MODELS[path][2]
    if line is None:
        assert built.status[name] == "success", built.message[name]
    else:
        assert built.status[name] == "error"
        assert line in built.message[name]


def test_a_snapshot_in_the_place_takes_the_marks_over(built):
    assert built.status["history"] == "success", built.message["history"]


WRONG = {
    "a_number": (5, "m.x: meta stays_in is 5, but must be `schema` or dbt selectors"),
    "true": (True, "m.x: meta stays_in is True, but must be `schema`"),
    "an_empty_list": ([], "m.x: meta stays_in is [], but must be `schema`"),
    "a_list_of_what_is_no_word": ([["a"]], "m.x: meta stays_in is [['a']], but must be"),
    "no_such_folder": (
        "path:models/staginng",
        "m.x: meta stays_in: path:models/staginng selects no model: correct or remove it.",
    ),
    "no_such_tag": (["schema", "tag:none"], "m.x: meta stays_in: tag:none selects no model"),
    "no_such_model": ("n", "m.x: meta stays_in: n selects no model"),
    "children": ("m+", "m.x: meta stays_in: 'm+' is not one word of dbt's node selection"),
    "two_words": ("m tag:a", "m.x: meta stays_in: 'm tag:a' is not one word"),
    "a_state": ("state:new", "m.x: meta stays_in: 'state:new' is not one word"),
    "no_such_method": ("folder:a", "m.x: meta stays_in: 'folder' is not a valid method name"),
}


@pytest.fixture(scope="module")
def wrong(dbt, tmp_path_factory, module_schema):
    files = {"models/m.sql": "select 'a' as x"}
    project = make_project(dbt, tmp_path_factory.mktemp("wrong_places"), files)

    def run(meta):
        models = [{"name": "m", "columns": columns({"x": meta})}]
        (project.project_dir / "models/all.yml").write_text(yaml.safe_dump({"models": models}))
        return project("run", schema=module_schema)

    return run


@pytest.mark.parametrize("name", WRONG)
def test_an_unknown_place_is_refused(wrong, name):
    place, line = WRONG[name]
    result = wrong({"stays_in": place})
    assert not result.success
    assert line in result.message["m"]


def test_one_mark_by_two_names_is_refused(wrong):
    result = wrong({"stays_in": "m", "silver_only": True})
    assert (
        "m.x: meta silver_only is `stays_in: schema`: use only one of them." in result.message["m"]
    )
    assert wrong({"stays_in": "m", "silver_only": False}).success
    assert wrong({"stays_in": False}).success
