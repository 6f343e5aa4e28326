"""The one list of names: source tables, lake file sets, models and warehouse tables.

Steps, DAGs, checks and documentation import the names from here.
"""

from __future__ import annotations

# Source tables, by their name in the contract (the mapping file says what a shop calls them).
CUSTOMERS = "customers"
PRODUCTS = "products"
RATES = "rates"
ORDERS = "orders"
ORDER_ITEMS = "order_items"
EVENTS = "events"
#: Tables whose rows belong to a business day.
DAILY_TABLES = (ORDERS, ORDER_ITEMS, EVENTS)
#: Tables read whole, as they are at extraction.
SNAPSHOT_TABLES = (CUSTOMERS, PRODUCTS, RATES)
SOURCE_TABLES = (*SNAPSHOT_TABLES, *DAILY_TABLES)

EVENT_TYPES = (
    "page_view",
    "product_view",
    "search",
    "add_to_cart",
    "remove_from_cart",
    "checkout",
    "purchase",
    "campaign_sent",
    "campaign_open",
    "campaign_click",
    "coupon_redeemed",
)
#: Order states that mean "the customer gave the goods back".
RETURNED_STATUSES = ("returned", "refunded")
#: Order states that never became a sale.
VOID_STATUSES = ("cancelled", "canceled", "failed")

# Lake file sets (folders under the lake's root).
RAW = "raw"  # raw/<table>/day=D/rows.parquet
CHECKED = "checked"  # checked/<table>/day=D/rows.parquet
QUARANTINE = "quarantine"  # quarantine/<table>/day=D/rows.parquet
# history/month=M/version=V/{orders,order_items,events}/bucket=N/*.parquet and month.json; history/_months/M.json
HISTORY = "history"
FEATURES = "features"  # features/day=D/bucket=NN/{static,timeline,categories,channels,products}.parquet
WINDOWS = "windows"  # windows/day=D/cutoff=C/bucket=NN/{static,timeline,categories,targets,target_categories}.parquet
OUTLOOK = "outlook"  # outlook/day=D/{outlook,matured,interests}.parquet and outlook.json
SEGMENTATIONS = "segmentations"  # segmentations/day=D/version=V/{labels.parquet,segmentation.json}

MODEL = "segmentation_encoder"
#: Stands where a model's version would, on nights without one.
NO_MODEL = "rfm"
#: Stands where a clustering algorithm would, when the segments are the RFM grid's.
RFM = "rfm"

# Warehouse
MARTS = "marts"
OPS = "ops"

# Airflow
NIGHTLY_DAG = "segmentation_nightly"
ERASURE_DAG = "customer_erasure"
#: Tasks of the nightly DAG: the one that takes the turn, where a held night waits for somebody, and the one after which
#: a night is over.
FIRST_TASK = "wait_for_source"
APPROVAL_TASK = "approve"
LAST_TASK = "publish"
HOUSEKEEPING_DAG = "segmentation_housekeeping"
INTRADAY_DAG = "segmentation_intraday"
OUR_DAGS = (NIGHTLY_DAG, "audience_export", ERASURE_DAG, HOUSEKEEPING_DAG, INTRADAY_DAG)

# Roles
EXTRACT_ROLE = "segmentation_extract"
PUBLISH_ROLE = "segmentation_publish"
MARKETING_ROLE = "marketing"

# What made a row of marts.customer_segments.
NIGHT = "night"
INTRADAY = "intraday"

#: The reserved segment of customers who have not ordered yet.
NO_ORDER_SEGMENT = 0
NO_ORDER_NAME = "No order yet"

#: Fewer customers than these are never shown in a figure: it would describe single people.
MINIMUM_SHOWN = 10
