{#- Checks a model on Athena against its contract, within dbt-athena's own materializations. -#}

{#
    dbt-athena calls this before it makes the table of any model, SQL or Python. SQL is checked here,
    with dbt's own query of no rows. A Python model is checked by the code that runs: see
    contracts__py_check_against_contract.

    Args:
        sql: the compiled code.

    Raises:
        dbt's contract error, or a compiler error for a marked column.
#}
{% macro athena__get_assert_columns_equivalent(sql) %}
  {%- do contracts__check_marked_columns() -%}
  {%- if model.language == 'sql' -%}
    {{ return(assert_columns_equivalent(sql)) }}
  {%- endif -%}
{% endmacro %}

{#
    Checks a Python model in Athena's Spark, before anything is computed or written.

    The plugin allows contracts on Python models on Athena only while athena__py_save_table_as calls
    this macro.

    Returns:
        Python source of `dbt_checked(frame)`. It returns the model's DataFrame with the columns of
        its contract, in order and uncast. It raises ValueError for a violation, in dbt's own words.
        A forbidden null raises as soon as a job finds it, and the job writes nothing.
#}
{% macro contracts__py_check_against_contract() %}
  {%- set contract = [] -%}
  {%- set untyped = [] -%}
  {%- for column in model.columns.values() if config.get('contract').enforced -%}
    {%- if not column.data_type -%}
      {%- do untyped.append(column.name) -%}
    {%- endif -%}
    {#- dbt maps string to Athena's varchar, which Spark does not have. -#}
    {%- set type = 'string' if column.data_type | lower == 'varchar' else column.data_type -%}
    {%- set is_not_null = 'not_null' in column.constraints | map(attribute='type') | map('string') -%}
    {%- do contract.append((column.name, type, is_not_null)) -%}
  {%- endfor -%}
  {%- if untyped -%}
    {{ exceptions.column_type_missing(column_names=untyped) }}
  {%- endif %}
# Name, type and not-null of each column. Empty without an enforced contract.
dbt_contract = {{ contract }}
# The names that no column may have, and the marked column with that name.
dbt_marked = {{ contracts__marked_columns() }}


def dbt_checked(frame):
    """Return the model's DataFrame in the form of its contract. Raises ValueError if it cannot."""
    from pyspark.sql import functions as F

    found = dbt_types(frame)
    if dbt_contract:
        # The engine spells the types, so that INT, integer and int are one.
        casts = [f"cast(null as {type}) as `{name}`" for name, type, _ in dbt_contract]
        promised = dict(dbt_types(spark.sql("select " + ", ".join(casts))))
        breaches = [
            (name, "", type, "missing in definition")
            for name, type in promised.items()
            if name not in dict(found)
        ]
        for name, type in found:
            if name not in promised:
                breaches.append((name, type, "", "missing in contract"))
            elif type != promised[name]:
                breaches.append((name, type, promised[name], "data type mismatch"))
        if breaches:
            raise dbt_contract_error(breaches)

    leaks = [
        f"{name} has the name of {dbt_marked[name.lower()]}"
        for name, _ in found
        if name.lower() in dbt_marked
    ]
    if leaks:
        raise ValueError(
            "This model returns columns that must stay where they are.\n\n"
            + "\n".join(leaks)
            + "\n\nRemove them."
        )

    columns = []
    for name, _, is_not_null in dbt_contract:
        column = F.col(f"`{name}`")
        if is_not_null and frame.schema[name].nullable:
            # Checked as the row passes, without a separate job.
            type = promised[name]
            error = dbt_contract_error([(name, type, f"{type} not null", "data type mismatch")])
            column = F.coalesce(column, F.raise_error(str(error))).alias(name)
        columns.append(column)
    return frame.select(columns) if columns else frame


def dbt_types(frame):
    return [(field.name, field.dataType.simpleString()) for field in frame.schema.fields]


def dbt_contract_error(breaches):
    """Return dbt's own error. A breach: column, type in model and contract, reason."""
    header = ("column_name", "definition_type", "contract_type", "mismatch_reason")
    widths = [max(map(len, texts)) for texts in zip(header, *breaches)]
    rows = [header, ["-" * width for width in widths], *sorted(breaches)]
    lines = [" | ".join(text.ljust(width) for text, width in zip(row, widths)) for row in rows]
    return ValueError(
        "This model has an enforced contract that failed.\n"
        "Please ensure the name, data_type, and number of columns in your contract match the "
        "columns in your model's definition.\n\n" + "\n".join(f"| {line} |" for line in lines)
    )
{% endmacro %}
