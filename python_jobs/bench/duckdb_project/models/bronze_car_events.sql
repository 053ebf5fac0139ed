{#- Each line of the landing files, as received. Known files are not read again. -#}
with

files as (

    select
        filename as path,
        parse_filename(filename) as source_file,
        cast(last_modified as timestamp) as file_modified_at,
        size as file_size_bytes
    from read_blob('{{ var("landing_path") }}/*.jsonl')

),

lines as (

    select
        filename as path,
        row_number() over () as record_number,
        raw_record
    from read_csv(
        '{{ var("landing_path") }}/*.jsonl',
        columns = {'raw_record': 'varchar'},
        auto_detect = false,
        header = false,
        delim = '\x01',
        quote = '',
        escape = '',
        filename = true,
        max_line_size = 16777216
    )

)

select
    sha256(concat_ws(
        '|', files.source_file, files.file_modified_at, files.file_size_bytes, lines.record_number
    )) as record_id,
    files.source_file,
    files.file_modified_at,
    files.file_size_bytes,
    lines.record_number,
    lines.raw_record,
    cast(null as varchar) as csv_as_json,
    cast(null as varchar) as read_error,
    {{ run_started() }} as ingested_at
from lines
inner join files on lines.path = files.path
where trim(lines.raw_record) != ''
{%- if is_incremental() %}
    and files.source_file not in (select source_file from {{ this }})
{%- endif %}
