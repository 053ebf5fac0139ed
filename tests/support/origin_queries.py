"""Queries with the expected origins of their columns and rows."""

TABLES = """
create schema if not exists origins;
create or replace table origins.t (a int, b string, c string, s struct<p: int, q: string>,
    l array<struct<p: int, q: string>>, m map<string, string>, n array<string>);
create or replace table origins.u (a int, d string);
"""

# Each query has the origins of its columns, then of its rows. The prefix of an origin is its kind:
# none for a copy, `~` for computed, `+` for aggregated, `?` for a condition, `w` for a window. `?!`
# means untraced.
QUERIES = {
    # Plain copies
    "column": ("select a, b from t", "a=t.a b=t.b"),
    "alias": ("select b as x from t", "x=t.b"),
    "alias of an alias": ("select y as z from (select b as y from t)", "z=t.b"),
    "names swapped": ("select b as c, c as b from t", "c=t.b b=t.c"),
    "cast": ("select cast(a as string) as x from t", "x=t.a"),
    "cast there and back": ("select cast(cast(a as string) as int) as x from t", "x=t.a"),
    "try_cast": ("select try_cast(b as int) as x from t", "x=t.b"),
    "coalesce": ("select coalesce(b, c, 'z') as x from t", "x=t.b,t.c"),
    "nvl": ("select nvl(b, 'z') as x from t", "x=t.b"),
    "nvl2": ("select nvl2(a, b, c) as x from t", "x=?t.a,t.b,t.c"),
    "nullif": ("select nullif(b, 'z') as x from t", "x=t.b"),
    "greatest": ("select greatest(b, c) as x from t", "x=t.b,t.c"),
    "case": (
        "select case when a > 1 then b when c = 'z' then 'y' else c end as x from t",
        "x=?t.a,t.b,t.c",
    ),
    "case without else": ("select case when a > 1 then b end as x from t", "x=?t.a,t.b"),
    "if": ("select if(a > 1, b, 'z') as x from t", "x=?t.a,t.b"),
    "decode": ("select decode(a, 1, b, c) as x from t", "x=?t.a,t.b,t.c"),
    "literal": ("select 1 as x, current_timestamp() as y from t", "x= y="),
    "values": ("select * from values (1, 'z') as v(x, y)", "x= y="),
    "range": ("select id as x from range(3)", "x="),
    "no table": ("select 1 as x", "x="),
    # Computed
    "concat": ("select concat(b, '|', c) as x from t", "x=~t.b,~t.c"),
    "hash": ("select sha2(concat_ws('|', b, c), 256) as x from t", "x=~t.b,~t.c"),
    "arithmetic": ("select a * 2 + length(b) as x from t", "x=~t.a,~t.b"),
    "is null": ("select b is not null as x from t", "x=~t.b"),
    "copied and computed": ("select coalesce(b, concat(b, 'z')) as x from t", "x=t.b"),
    "computed by a choice": ("select upper(if(a > 1, b, c)) as x from t", "x=?t.a,~t.b,~t.c"),
    "computed below": ("select x as y from (select a + 1 as x from t)", "y=~t.a"),
    "json": ("select to_json(struct(b, c)) as x from t", "x=~t.b,~t.c"),
    # Structs, arrays, maps
    "struct": ("select struct(a, b as r) as x from t", "x.a=t.a x.r=t.b"),
    "named_struct": ("select named_struct('r', b) as x from t", "x.r=t.b"),
    "struct in a struct": ("select struct(struct(b as r) as i) as x from t", "x.i.r=t.b"),
    "field of a struct": ("select struct(a as p, b as q).q as x from t", "x=t.b"),
    "field of a column": ("select s.q as x from t", "x=t.s"),
    "struct column": ("select s as x from t", "x=t.s"),
    "struct or struct": (
        "select coalesce(if(a > 1, struct(b as r), null), struct(c as r)) as x from t",
        "x=?t.a x.r=t.b,t.c",
    ),
    "struct cast": (
        "select cast(struct(a, b) as struct<y: int, z: string>) as x from t",
        "x.y=t.a x.z=t.b",
    ),
    "field of the largest struct": (
        "select max(struct(a, b, c)).b as x from t group by c",
        "x=t.b; group t.c",
    ),
    "array": ("select array(b, c) as x from t", "x=t.b,t.c"),
    "element": ("select array(b, c)[a] as x from t", "x=~t.a,t.b,t.c"),
    "elt": ("select elt(a, b, c) as x from t", "x=~t.a,t.b,t.c"),
    "one of the values": (
        "select percentile_approx(a, 0.5) as x, percentile_disc(0.5) within group (order by a) as y"
        " from t",
        "x=t.a y=t.a",
    ),
    "element_at": ("select element_at(n, a) as x from t", "x=~t.a,t.n"),
    "field of an array of structs": ("select array(struct(a, b)).b as x from t", "x=t.b"),
    "struct in an array": ("select array(struct(b as r)) as x from t", "x.r=t.b"),
    "map": ("select map(b, c) as x from t", "x=t.b,t.c"),
    "value of a map": ("select m[b] as x from t", "x=~t.b,t.m"),
    "keys of a map": ("select map_keys(map(b, c)) as x from t", "x=t.b,t.c"),
    "array functions": (
        "select sort_array(array_distinct(array_union(n, array(b)))) as x from t",
        "x=t.b,t.n",
    ),
    "arrays, one after the other": ("select reverse(n || array(b)) as x from t", "x=t.b,t.n"),
    "made arrays, one after the other": (
        "select concat(reverse(array(b)), n) as x from t",
        "x=t.b,t.n",
    ),
    "concat of nothing": ("select concat() as x from t", "x="),
    "reversed text": ("select reverse(b) as x from t", "x=~t.b"),
    "arrays_zip": ("select arrays_zip(n, array(b)) as x from t", "x.n=t.n x.1=t.b"),
    "slice": ("select slice(n, 1, a) as x from t", "x=~t.a,t.n"),
    "transform": ("select transform(n, e -> e) as x from t", "x=t.n"),
    "transform, computed": ("select transform(n, e -> upper(e)) as x from t", "x=~t.n"),
    "transform to another column": ("select transform(n, e -> b) as x from t", "x=t.b,?t.n"),
    "transform, a field": (
        "select transform(array(struct(a, b)), e -> e.b) as x from t",
        "x=t.b",
    ),
    "transform, with another column": (
        "select transform(n, (e, i) -> if(e = c, b, e)) as x from t",
        "x=t.b,?t.c,t.n",
    ),
    "filter of an array": ("select filter(n, e -> e > b) as x from t", "x=?t.b,t.n"),
    "aggregate of an array": (
        "select aggregate(n, b, (s, e) -> s || e) as x from t",
        "x=~t.b,~t.n",
    ),
    "exists in an array": ("select exists(n, e -> e = b) as x from t", "x=~t.b,~t.n"),
    "zip_with": (
        "select zip_with(n, array(b), (e, f) -> struct(e as e, f as f)) as x from t",
        "x=?t.b,?t.n x.e=t.n x.f=t.b",
    ),
    "map_zip_with": ("select map_zip_with(m, m, (k, v, w) -> b) as x from t", "x=t.b,t.m"),
    "an entry of a map of structs": (
        "select map_entries(map('k', struct(a, b)))[0].value.a as x from t",
        "x=t.a,t.b",
    ),
    "a map of entries of structs": (
        "select map_from_entries(array(struct('k', struct(a, b))))['k'].a as x from t",
        "x=t.a,t.b",
    ),
    "the entries of each of several maps": (
        "select transform(array(map('k', struct(a, b))), e -> map_entries(e)[0].value.a) as x "
        "from t",
        "x=t.a,t.b",
    ),
    "another struct of each struct": (
        "select transform(array(struct(a, b)), "
        "e -> from_json(to_json(e), 'b string, a int').b) as x from t",
        "x=~t.a,~t.b",
    ),
    "exploded entries": (
        "select v.a as x from t lateral view "
        "explode(map_from_entries(array(struct('k', struct(a, b))))) as k, v",
        "x=t.a,t.b; filter t.a,t.b",
    ),
    "transform_values": ("select transform_values(m, (k, v) -> b) as x from t", "x=t.b,t.m"),
    # Explodes
    "explode": ("select explode(n) as x from t", "x=t.n; filter t.n"),
    "explode a map": ("select explode(m) as (x, y) from t", "x=t.m y=t.m; filter t.m"),
    "explode structs": (
        "select e.q as x from t lateral view explode(array(struct(a as p, b as q))) v as e",
        "x=t.b",
    ),
    "posexplode": ("select posexplode(n) as (x, y) from t", "x=~t.n y=t.n; filter t.n"),
    "explode_outer": ("select explode_outer(n) as x from t", "x=t.n; filter t.n"),
    "inline": ("select inline(array(struct(a, b))) as (x, y) from t", "x=t.a y=t.b"),
    "stack": ("select stack(2, a, b, 1, c) as (x, y) from t", "x=t.a y=t.b,t.c"),
    "lateral view": (
        "select b, e as x from t lateral view explode(n) v as e",
        "b=t.b x=t.n; filter t.n",
    ),
    "explode of a computed array": (
        "select c, e as x from t lateral view explode(split(b, 'z')) v as e",
        "c=t.c x=~t.b; filter t.b",
    ),
    # The query tells how many rows there are.
    "explode of an array of two": ("select explode(array(b, c)) as x from t", "x=t.b,t.c"),
    "inline of a column": ("select inline(l) as (x, y) from t", "x=t.l y=t.l; filter t.l"),
    "json_tuple": ("select json_tuple(b, 'y') as x from t", "x=~t.b"),
    # Aggregates
    "sum": ("select b, sum(a) as x from t group by b", "b=t.b x=+t.a; group t.b"),
    "count": ("select count(distinct b) as x from t", "x=+t.b"),
    "count(*)": ("select count(*) as x from t", "x="),
    "max": ("select max(b) as x from t", "x=t.b"),
    "max_by": ("select max_by(b, a) as x from t", "x=?t.a,t.b"),
    "first": ("select first(b) as x from t", "x=t.b"),
    "collect_list": ("select collect_list(struct(b as r)) as x from t", "x.r=t.b"),
    "percentile": ("select percentile(a, 0.5) as x from t", "x=+t.a"),
    "filter of an aggregate": ("select sum(a) filter (where b > 'z') as x from t", "x=+t.a,?t.b"),
    "computed of an aggregate": ("select sum(a) / count(b) as x from t", "x=+t.a,+t.b"),
    "grouped by what is computed": (
        "select left(b, 1) as x from t group by left(b, 1)",
        "x=~t.b; group t.b",
    ),
    "having": (
        "select b from t group by b having sum(a) > 1",
        "b=t.b; filter t.a group t.b",
    ),
    "cube": (
        "select b, c, sum(a) as x from t group by cube (b, c)",
        "b=t.b c=t.c x=+t.a; group t.b,t.c",
    ),
    "pivot": (
        "select * from (select a, b, c from t) pivot (max(b) for a in (1 as x, 2 as y))",
        "c=t.c x=?t.a,t.b y=?t.a,t.b; group t.c",
    ),
    "unpivot": (
        "select x, y from (select b, c from t) unpivot (y for x in (b, c))",
        "x= y=t.b,t.c; filter t.b,t.c",
    ),
    "distinct": ("select distinct b as x from t", "x=t.b; group t.b"),
    # Windows
    "row_number": (
        "select row_number() over (partition by b order by a) as x from t",
        "x=wt.a,wt.b",
    ),
    "lag": ("select lag(b) over (order by a) as x from t", "x=wt.a,t.b"),
    "lag with a default": ("select lag(b, 1, c) over (order by a) as x from t", "x=wt.a,t.b,t.c"),
    "first_value": ("select first_value(b) over (partition by c) as x from t", "x=t.b,wt.c"),
    "sum over": ("select sum(a) over (partition by b) as x from t", "x=+t.a,wt.b"),
    "latest row": (
        "select b from (select *, row_number() over (partition by c order by a) r from t) "
        "where r = 1",
        "b=t.b; filter t.a,t.c",
    ),
    # Rows
    "where": ("select b from t where a > 1 and c is not null", "b=t.b; filter t.a,t.c"),
    "where in": (
        "select b from t where a in (select a from u where d = 'z')",
        "b=t.b; filter t.a,u.a,u.d",
    ),
    "where exists": (
        "select b from t where exists (select 1 from u where u.a = t.a)",
        "b=t.b; filter t.a,u.a",
    ),
    "order and limit": ("select b from t order by a limit 1", "b=t.b; sort t.a"),
    # Joins
    "join": ("select t.b, u.d from t join u on t.a = u.a", "b=t.b d=u.d; join t.a,u.a"),
    "join using": ("select a, b, d from t join u using (a)", "a=t.a b=t.b d=u.d; join t.a,u.a"),
    "full join using": ("select a from t full join u using (a)", "a=t.a,u.a; join t.a,u.a"),
    "semi join": ("select b from t left semi join u on t.a = u.a", "b=t.b; join t.a,u.a"),
    "anti join": ("select b from t left anti join u on t.a = u.a", "b=t.b; join t.a,u.a"),
    "cross join": ("select b, d from t cross join u", "b=t.b d=u.d"),
    "self join": (
        "select o.b as x, p.c as y from t o join t p on o.a = p.a",
        "x=t.b y=t.c; join t.a",
    ),
    "lateral join": (
        "select b, x from t, lateral (select max(d) as x from u where u.a = t.a)",
        "b=t.b x=u.d; filter t.a,u.a",
    ),
    "scalar subquery": (
        "select (select max(d) from u where u.a = t.a) as x from t",
        "x=?t.a,?u.a,u.d",
    ),
    # Unions and the like
    "union all": ("select b as x from t union all select d from u", "x=t.b,u.d"),
    "union, another type": ("select a as x from t union all select d from u", "x=t.a,u.d"),
    "union": ("select b as x from t union select d from u", "x=t.b,u.d; group t.b,u.d"),
    "union, one side filtered": (
        "select b as x from t where c = 'z' union all select d from u",
        "x=t.b,u.d; filter t.c",
    ),
    "union of one table": ("select b as x from t union all select c from t", "x=t.b,t.c"),
    "intersect": ("select b as x from t intersect select d from u", "x=t.b; filter t.b,u.d"),
    "except": ("select b as x from t except select d from u", "x=t.b; filter t.b,u.d"),
    # Common table expressions
    "with": ("with v as (select b as y from t) select y as x from v", "x=t.b"),
    "with, twice": (
        "with v as (select a, b from t) select o.b as x, p.b as y from v o join v p on o.a = p.a",
        "x=t.b y=t.b; join t.a",
    ),
    "with in a subquery": (
        "with v as (select d from u) select b from t where b in (select d from v)",
        "b=t.b; filter t.b,u.d",
    ),
    "with in with": (
        "with v as (with w as (select b as z from t) select z as y from w) select y as x from v",
        "x=t.b",
    ),
    # dbt's --empty
    "empty": ("select b from (select * from t where false limit 0) as t", "b=t.b"),
}
