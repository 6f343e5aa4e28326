"""Every setting, one frozen model per step, read once from `SEGMENTATION_…` variables.

A nested field is set with two underscores: `SEGMENTATION_EXTRACT__LATE_DAYS=14`. Units are in the name
or in the description. Connections are not settings: they come from Airflow (or from the command line).
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from segmentation.bucket import open_bucket
from segmentation.calendar import shop_timezone
from segmentation.errors import InvalidSetting
from segmentation.lake import Lake

EngineName: TypeAlias = Literal["duckdb", "spark"]

#: A shorter key could be guessed.
_KEY_CHARACTERS = 32


class _Step(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExtractSettings(_Step):
    """How the source is read."""

    mapping: Path | None = Field(
        None, description="YAML file that maps the shop's tables; unset = the contract's names"
    )
    late_days: int = Field(35, ge=0, description="days back in which changed orders and late events are looked for")
    readers: int = Field(2, ge=1, le=16, description="connections that read the source at the same time")
    rows_per_query: int = Field(500_000, ge=1_000, description="rows of history fetched by one query, at most about")
    connect_timeout_s: int = Field(10, ge=1, description="seconds to wait for a connection")
    statement_timeout_s: int = Field(900, ge=1, description="seconds one source query may take")
    ready_hour: int = Field(
        3, ge=0, le=23, description="local hour after the day from which rows of the day itself suffice"
    )
    give_up_hour: int = Field(6, ge=0, le=23, description="local hour after the day at which waiting for rows ends")
    poll_s: int = Field(60, ge=1, description="seconds between two looks at the source while waiting")


class CheckSettings(_Step):
    """When a day's data may be used."""

    duplicate_share_limit: float = Field(0.01, ge=0, le=1, description="share of repeated keys that stops the run")
    quarantine_share_limit: float = Field(
        0.2, ge=0, le=1, description="share of a table's rows set aside that stops the run"
    )
    volume_ratio_limit: float = Field(
        5.0, gt=1, description="day's rows may be at most this many times the usual, or 1/this"
    )
    baseline_weeks: int = Field(8, ge=1, description="weeks before the day whose same weekdays give the usual volume")
    empty_day_expected_rows: float = Field(
        7.0, ge=0, description="a day without orders stops the run if more than this are usual"
    )


class FeatureSettings(_Step):
    """What is computed from a customer's history."""

    buckets: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="parts that the customers are worked on in, which bound memory; unset = 4, doubled until none has "
        "more than 3 million rows of history",
    )
    sequence_length: int = Field(128, ge=8, le=1024, description="T: last events kept per customer")
    horizon_days: int = Field(28, ge=1, le=365, description="days of future that the encoder predicts")
    training_cutoffs: int = Field(6, ge=1, description="cut-offs, one horizon apart, used for a cold start")
    training_customers: int = Field(
        50_000,
        ge=20,
        description="customers whose past the encoder learns from and segments are judged by, at most; of a larger "
        "shop a sample, the same every night",
    )
    minimum_history_days: int = Field(28, ge=1, description="days of history a training cut-off needs before it")
    memory_limit_gb: float = Field(4.0, gt=0, description="memory that DuckDB may use, GB")
    threads: int = Field(2, ge=1, description="threads that DuckDB may use")


class SparkSettings(_Step):
    """The cluster that works if `engine` is `spark`; see SCALE.md."""

    master: str = Field(
        "local[2]", description="`spark://host:7077` of a standalone cluster, or `local[N]`: N cores of this machine"
    )
    python: str = Field(
        "", description="Python of the cluster's machines that has this product; unset = at the same path as here"
    )
    wait_s: int = Field(120, ge=1, description="seconds to wait for the master, and for it to give a core to work on")
    conf: dict[str, str] = Field(
        {},
        description='further settings of Spark, as JSON: `{"spark.executor.memory": "2g"}`; secrets do not belong '
        "here but into `spark-defaults.conf` under `SPARK_CONF_DIR`",
    )

    @field_validator("master")
    @classmethod
    def _known_kind(cls, master: str) -> str:
        if not re.fullmatch(r"local\[(\d+|\*)\]|spark://[^\s/@:,]+:\d+(,[^\s/@:,]+:\d+)*", master):
            raise InvalidSetting("SEGMENTATION_SPARK__MASTER", master, "write spark://host:7077, or local[2].")
        return master

    @field_validator("conf")
    @classmethod
    def _open(cls, conf: dict[str, str]) -> dict[str, str]:
        for name in conf:
            # they are arguments of a process, which everybody on the machine can list
            if re.search("secret|password|token|credential|access.?key", name, re.IGNORECASE):
                remedy = "put it into spark-defaults.conf in the folder that SPARK_CONF_DIR names."
                raise InvalidSetting("SEGMENTATION_SPARK__CONF", name, remedy)
        return conf


class EncoderSettings(_Step):
    """How the encoder is trained."""

    family: Literal["cnn_rnn", "cnn", "rnn"] = Field("cnn_rnn", description="sequence encoder")
    width: int = Field(48, ge=4, description="H: embedding width")
    categories: int = Field(20, ge=0, description="product categories kept by name; the rest count as 'other'")
    held_out_share: float = Field(
        0.2, gt=0, lt=0.9, description="share of customers never trained on: early stopping, scores"
    )
    batch_size: int = Field(256, ge=8, description="customers per batch")
    cold_epochs: int = Field(
        20, ge=0, description="passes over the windows for a cold start, at most; 0 = the static features alone"
    )
    warm_epochs: int = Field(2, ge=1, description="passes for the nightly fine-tune, at most")
    learning_rate: float = Field(2e-3, gt=0, description="Adam's step for a cold start")
    warm_learning_rate: float = Field(3e-4, gt=0, description="Adam's step for a fine-tune")
    warm_rate: float = Field(
        0.25, gt=0, le=1, description="share of a fine-tune that is taken over in one night, the rest in later ones"
    )
    patience: int = Field(6, ge=1, description="epochs without gain on held-out customers before training stops")
    minimum_customers: int = Field(
        300, ge=20, description="customers with a matured future below which nothing is trained"
    )
    threads: int = Field(2, ge=1, description="CPU threads for TensorFlow; part of what makes runs repeatable")
    seed: int = Field(20170101, description="seed of every random draw")


class ClusterSettings(_Step):
    """How customers are grouped, and how still the groups are held."""

    k_min: int = Field(
        3, ge=2, description="fewest segments that K-means and mixtures are told; DBSCAN and HDBSCAN may find 2"
    )
    k_max: int = Field(10, ge=2, le=30, description="most segments tried")
    minimum_share: float = Field(
        0.02,
        ge=0,
        lt=0.5,
        description="smallest segment a search allows; a night is held below half of it",
    )
    tolerance: float = Field(
        0.01, ge=0, description="usefulness (R²) given up for segments that lie further apart, or for last night's"
    )
    least_gain: float = Field(0.001, ge=0, description="usefulness (R²) that more segments have to add")
    minimum_stability: float = Field(
        0.5, ge=0, le=1, description="bootstrap adjusted Rand index below which a candidate is refused"
    )
    noise_share_limit: float = Field(
        0.25, ge=0, lt=1, description="share of noise above which groups of DBSCAN or HDBSCAN are refused"
    )
    bootstraps: int = Field(5, ge=2, description="resamples for the stability of each candidate")
    sample: int = Field(20_000, ge=1_000, description="customers used for the search, at most; the rest is assigned")
    half_life_days: float = Field(
        2.0,
        ge=0,
        description="days in which half of a change in a customer's outlook reaches the grouping; 0 = at once",
    )
    hysteresis: float = Field(0.5, ge=0, lt=1, description="a customer moves only to a segment nearer by this share")
    search_every_days: int = Field(7, ge=1, description="days between full searches; other nights refit")
    seed: int = Field(20170101, description="seed of every random draw")


class EvaluateSettings(_Step):
    """When a night is published, and when it is held."""

    moved_share_limit: float = Field(
        0.25, ge=0, le=1, description="share of customers that may change segment in a night"
    )
    usefulness_margin: float = Field(0.05, ge=0, description="R² that the model may lose against the best baseline")
    ari_limit: float = Field(
        0.4, ge=-1, le=1, description="adjusted Rand index to the night before below which a night is held"
    )
    loss_increase_limit: float = Field(
        0.25, ge=0, description="share by which the encoder's held-out loss may exceed that of the nights before"
    )
    drift_limit: float = Field(
        0.25,
        gt=0,
        description="population stability index of a column or feature above which a night is held; more where the "
        "weeks before scattered by more than half of it",
    )
    null_share_limit: float = Field(
        0.1,
        gt=0,
        le=1,
        description="change in a column's share of nulls above which a night is held; more where the weeks before "
        "scattered by more than half of it",
    )
    seed: int = Field(20170101, description="seed of the split into halves")


class PublishSettings(_Step):
    """How labels are put into the warehouse."""

    holdout_share: float = Field(
        0.05, ge=0, le=0.5, description="share of customers never to be targeted, to measure against"
    )
    holdout_salt: str = Field("", description="changes who is held out; keep it, or the control group changes")
    minimum_group: int = Field(
        10, ge=1, description="customers below which nothing is said of what a group buys; also how cautious lifts are"
    )
    lock_timeout_s: int = Field(120, ge=1, description="seconds to wait for another publish or for a locked table")
    statement_timeout_s: int = Field(900, ge=1, description="seconds one statement may take")


class IntradaySettings(_Step):
    """Labels within the day."""

    every_minutes: int = Field(15, ge=1, le=59, description="minutes between two runs of `segmentation_intraday`")
    overlap_minutes: int = Field(
        10, ge=0, description="minutes before the last run's rows in which rows that came late are looked for"
    )
    most_customers: int = Field(
        50_000, ge=1, description="customers brought forward in one run; if more have changed, the night does it"
    )
    oldest_night_days: int = Field(
        3, ge=1, description="days since the newest published day after which nothing is brought forward any more"
    )


class ActionSettings(_Step):
    """What is recommended for each segment."""

    playbook: Path | None = Field(
        None, description="YAML file of marketing's actions; unset = the one that comes with the product"
    )


class CampaignSettings(_Step):
    """How campaigns are measured."""

    days_after: int = Field(14, ge=0, le=90, description="days after a campaign's end in which spend still counts")
    covariate_days: int = Field(
        56, ge=1, le=365, description="days before the launch whose spend the groups are adjusted by"
    )
    level: float = Field(0.05, gt=0, lt=0.5, description="chance that an interval misses, over all nights together")
    sample_ratio_limit: float = Field(
        0.001, gt=0, lt=0.5, description="chance of the groups' sizes below which there is no verdict"
    )
    minimum_group: int = Field(
        100, ge=10, description="customers in a group below which there is no verdict: spend is too uneven"
    )
    exploration_share: float = Field(
        0.1, ge=0, le=0.5, description="least share of each action in a proposed split, of competing actions"
    )
    seed: int = Field(20170101, description="seed of the draws behind a proposed split")


class ActivationSettings(_Step):
    """Where the customers of running campaigns are sent."""

    destinations: dict[str, str] = Field(
        {},
        description='URLs by name, as JSON: `{"crm": "https://…", "bucket": "s3://bucket/folder", '
        '"files": "file:///folder"}`; secrets do not belong here but into the connection '
        "`segmentation_destination_<name>`",
    )
    send: bool = Field(False, description="whether the export after each night sends, or only tells what it would send")
    tell_erased: tuple[str, ...] = Field(
        (),
        description="webhooks among the destinations that are told of an erased customer by an event `erased`, "
        'as JSON: `["crm"]`',
    )
    require_consent: bool = Field(
        False, description="true = only customers who agreed; false = also those of whom the shop does not say"
    )
    rows_per_request: int = Field(500, ge=1, le=100_000, description="customers in one request to a webhook, at most")
    rows_per_file: int = Field(100_000, ge=1, le=1_000_000, description="customers in one file or object, at most")
    attempts: int = Field(5, ge=1, le=20, description="times that one request is tried within a task")
    longest_pause_s: float = Field(
        60.0, ge=0, description="seconds between two attempts, at most; the first pause is about one second"
    )
    timeout_s: float = Field(30.0, gt=0, description="seconds to wait for a destination's answer")

    @field_validator("destinations")
    @classmethod
    def _usable(cls, urls: dict[str, str]) -> dict[str, str]:
        for name, url in urls.items():
            if problem := _destination_problem(name, url):
                # without its value: a URL may hold a secret
                raise InvalidSetting("SEGMENTATION_ACTIVATION__DESTINATIONS", name, problem)
        return urls

    @field_validator("tell_erased")
    @classmethod
    def _webhooks(cls, names: tuple[str, ...], known: ValidationInfo) -> tuple[str, ...]:
        for name in names:
            url = known.data.get("destinations", {}).get(name, "")
            if urlsplit(url).scheme not in ("https", "http"):
                # a file with the customer's key would be one more place to erase
                raise InvalidSetting("SEGMENTATION_ACTIVATION__TELL_ERASED", name, "name webhooks of the destinations.")
        return names


class AlertSettings(_Step):
    """Who is told of a night that failed, is held or is late."""

    email_to: str = Field(
        "", description="e-mail addresses, with commas between them; sent through connection `segmentation_alert_email`"
    )
    late_hour: int = Field(
        6, ge=0, le=23, description="local hour after the day by which labels have to be published, else it is told"
    )


def _destination_problem(name: str, url: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        return "name a destination in small letters, digits and underscores."
    parts = urlsplit(url)
    if parts.scheme not in ("file", "s3", "https", "http"):
        return "its URL has to begin with https://, s3:// or file://."
    if "@" in parts.netloc:
        return f"its URL holds a login; put that into the connection segmentation_destination_{name}."
    if parts.scheme == "file" and (parts.netloc or not parts.path.strip("/")):
        return "write the folder with three slashes, like file:///srv/exports."
    if parts.scheme != "file" and not parts.hostname:
        return "its URL lacks the host, or the bucket."
    # customer ids and a token must not cross the internet in the clear
    if parts.scheme == "http" and "." in (parts.hostname or "") and parts.hostname != "127.0.0.1":
        return "use https://; http:// is for hosts of the same network (a name without a dot) only."
    return ""


def _lake_problem(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "s3":
        return "it has to begin with s3://; leave it unset for a folder."
    if "@" in parts.netloc:
        return "it holds a login; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead."
    if not parts.hostname:
        return "it lacks the bucket; write s3://bucket/prefix."
    if parts.query or parts.fragment:
        return "it has parameters; the store's address is AWS_ENDPOINT_URL, its region AWS_DEFAULT_REGION."
    return ""


class PrivacySettings(_Step):
    """How customers are protected, and what an erasure does."""

    key: SecretStr | None = Field(
        None,
        description="secret of at least 32 characters that pseudonyms and the marks of erased customers are made with, "
        "for example from `openssl rand -hex 32`; keep it for good, and apart from lake and warehouse",
    )
    models: Literal["tombstone", "retrain"] = Field(
        "tombstone",
        description="what becomes of models that learned from an erased customer: tombstone = their weights are "
        "removed, the next night trains from nothing, published nights stay; retrain = the nights that were made "
        "with the customer are called stale, too, so that a backfill makes them anew",
    )

    budget: Decimal = Field(
        Decimal(0),
        ge=0,
        le=100,
        max_digits=9,
        decimal_places=6,
        description="epsilon that all releases of `segmentation privacy release` may spend together within the days "
        "below; 0 = nothing is released",
    )
    budget_days: int = Field(365, ge=1, description="days after which what a release spent may be spent again")
    revenue_bound: int = Field(
        500,
        ge=1,
        le=10_000_000,
        description="revenue of 28 days that one customer counts for in a release, at most; choose it by what the "
        "shop's goods cost, not by looking at customers",
    )
    orders_bound: int = Field(
        10, ge=1, le=10_000, description="orders of 28 days that one customer counts for in a release, at most"
    )

    @field_validator("key")
    @classmethod
    def _long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value()) < _KEY_CHARACTERS:
            raise InvalidSetting(
                "SEGMENTATION_PRIVACY__KEY", "(not shown)", f"it needs at least {_KEY_CHARACTERS} characters."
            )
        return key


class HousekeepingSettings(_Step):
    """How long things are kept; days count back from the newest published day."""

    remove: bool = Field(
        False, description="whether the weekly housekeeping removes what is too old, or only tells what it would remove"
    )
    backfill_days: int = Field(
        90, ge=1, description="days that can be run again on the segments and model that they built on"
    )
    working_days: int = Field(
        14, ge=1, description="days of features, outlooks and snapshots kept; a run of an older day makes them again"
    )
    quarantine_days: int = Field(90, ge=1, description="days of rows set aside that are kept")
    pages_days: int = Field(365, ge=1, description="days of Data Docs and reports kept")
    logs_days: int = Field(30, ge=1, description="days that log files of the DAGs are kept after they were written")
    downloads_days: int = Field(365, ge=1, description="days that ops.downloads remembers who took which audience")


class Settings(BaseSettings):
    """All settings of the product."""

    model_config = SettingsConfigDict(
        env_prefix="SEGMENTATION_",
        env_nested_delimiter="__",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        populate_by_name=True,
    )

    home: Path = Field(Path(".segmentation"), description="folder of the lake, the models and the Data Docs")
    lake_url: str = Field(
        "",
        validation_alias="SEGMENTATION_LAKE",
        description="`s3://bucket/prefix` of a store that speaks S3: lake, models, Data Docs and reports are kept "
        "there for all workers, and home holds a worker's copy; unset = they lie in home. Login and address as the AWS "
        "tools have them: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_ENDPOINT_URL` …",
    )
    timezone: str = Field("UTC", description="IANA name of the shop's timezone")
    currency: str = Field("", description="sign or code shown beside amounts of money")
    reporting_currency: str = Field(
        "",
        description="currency, as orders name it, that orders in others are converted to by the table of rates; "
        "unset = amounts are added up as they are",
    )
    engine: EngineName = Field(
        "duckdb",
        description="where buckets of customers are described and foreseen: `duckdb` = in the process of the step, "
        "`spark` = on a Spark cluster, with the same result",
    )
    last_day: date | None = Field(None, description="no night is scheduled after this day; for a shop that has closed")
    extract: ExtractSettings = ExtractSettings()
    checks: CheckSettings = CheckSettings()
    features: FeatureSettings = FeatureSettings()
    encoder: EncoderSettings = EncoderSettings()
    spark: SparkSettings = SparkSettings()
    clusters: ClusterSettings = ClusterSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    publish: PublishSettings = PublishSettings()
    intraday: IntradaySettings = IntradaySettings()
    actions: ActionSettings = ActionSettings()
    campaigns: CampaignSettings = CampaignSettings()
    activation: ActivationSettings = ActivationSettings()
    privacy: PrivacySettings = PrivacySettings()
    alerts: AlertSettings = AlertSettings()
    housekeeping: HousekeepingSettings = HousekeepingSettings()

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        return shop_timezone(value).key

    @field_validator("lake_url")
    @classmethod
    def _usable_lake(cls, url: str) -> str:
        if url and (problem := _lake_problem(url)):
            # without its value: a URL may hold a secret
            raise InvalidSetting("SEGMENTATION_LAKE", "(not shown)", problem)
        return url

    def for_workers(self) -> Settings:
        """Return what the work on a bucket needs of these settings; everything else has its default.

        Other machines get these: the privacy key and whatever else is not needed there stays here.
        """
        kept = {"home", "timezone", "reporting_currency", "features", "encoder"}
        # the fields' defaults are shared, and frozen like everything here
        return self.model_copy(update={n: f.default for n, f in type(self).model_fields.items() if n not in kept})

    @property
    def kept(self) -> Path:
        """Folder of what is kept from night to night: home, or this worker's copy of what is in the bucket."""
        return self.home / "copy" if self.lake_url else self.home

    @property
    def lake(self) -> Lake:
        """The lake."""
        return Lake(self.kept / "lake", open_bucket(self.lake_url, self.kept) if self.lake_url else None)

    @property
    def models(self) -> Path:
        """Folder of the model registry's files."""
        # through the lake, so that what is in the folder is known for a copy
        return self.lake.root.with_name("models")

    @property
    def data_docs(self) -> Path:
        """Folder of the HTML pages about each run's checks."""
        return self.lake.root.with_name("data_docs")

    @property
    def reports(self) -> Path:
        """Folder of the reports of each published night, one HTML file a day."""
        return self.lake.root.with_name("reports")

    def apart(self, home: Path, **changes: object) -> Settings:
        """Return these settings for another home, whose lake is a folder in it whatever these ones' is."""
        return self.model_copy(update={"home": home, "lake_url": "", **changes})


@lru_cache
def settings() -> Settings:
    """Return the settings of this process, read once from the environment."""
    return Settings()


def settings_doc() -> str:
    """Return `docs/SETTINGS.md`: every variable with its default and its meaning."""
    lines = [
        "# Settings",
        "",
        "Environment variables, read once at the start of a process. Written by `segmentation docs` from",
        "`include/segmentation/config.py`. Connections are Airflow's: `AIRFLOW_CONN_SEGMENTATION_SOURCE` and",
        "`AIRFLOW_CONN_SEGMENTATION_WAREHOUSE`.",
    ]
    steps = {name: type(f.default) for name, f in Settings.model_fields.items() if isinstance(f.default, _Step)}
    plain = {name: field for name, field in Settings.model_fields.items() if name not in steps}
    lines += _settings_table("All steps", "SEGMENTATION_", plain)
    for name, step in steps.items():
        title = (step.__doc__ or "").strip().rstrip(".")
        lines += _settings_table(
            f"{name}: {title[:1].lower()}{title[1:]}", f"SEGMENTATION_{name.upper()}__", step.model_fields
        )
    return "\n".join(lines) + "\n"


def _settings_table(title: str, prefix: str, fields: dict[str, FieldInfo]) -> list[str]:
    lines = ["", f"## {title[:1].upper()}{title[1:]}", "", "| variable | default | meaning |", "|---|---|---|"]
    for name, field in fields.items():
        default = "unset" if field.default in (None, "") else f"`{field.default}`"
        variable = field.validation_alias or f"{prefix}{name.upper()}"
        lines.append(f"| `{variable}` | {default} | {field.description} |")
    return lines
