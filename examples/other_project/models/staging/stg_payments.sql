select
    cast(order_id as bigint) as order_id,
    customer_mail,
    cast(amount as decimal(12, 2)) as amount,
    cast(paid_on as date) as paid_on
from {{ ref('payments') }}
where order_id is not null
