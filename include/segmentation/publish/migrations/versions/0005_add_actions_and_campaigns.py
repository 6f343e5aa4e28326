"""Add actions per segment, campaigns with their members and results, and the functions that launch and end them."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "segment_actions",
        sa.Column("as_of", sa.Date(), nullable=False, comment="business day whose end the segments are described at"),
        sa.Column(
            "segment_id", sa.Integer(), autoincrement=False, nullable=False, comment="segment, see marts.segments"
        ),
        sa.Column(
            "rank",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="1 = highest expected value; actions proven harmful come last, as a warning",
        ),
        sa.Column("action", sa.Text(), nullable=False, comment="id of the action in the playbook"),
        sa.Column("strategy", sa.Text(), nullable=False, comment="what it is meant to achieve, as the playbook says"),
        sa.Column("channel", sa.Text(), nullable=False, comment="where, as the playbook says"),
        sa.Column("offer", sa.Text(), nullable=False, comment="what, as the playbook says"),
        sa.Column("timing", sa.Text(), nullable=False, comment="when, as the playbook says"),
        sa.Column(
            "discount_limit",
            sa.Double(),
            nullable=False,
            comment="most that may be given away, share (0 to 1) of the order",
        ),
        sa.Column(
            "rationale", sa.Text(), nullable=False, comment="why this segment, in words with its figures and the shop's"
        ),
        sa.Column(
            "evidence",
            sa.Text(),
            nullable=False,
            comment="untested (no campaign yet), testing (no verdict yet), proven or harmful",
        ),
        sa.Column(
            "uplift",
            sa.Numeric(precision=18, scale=2),
            nullable=True,
            comment=(
                "net spend more per treated customer, shop currency: as measured, or if untested the "
                "playbook's prior less the discount; null if neither is known"
            ),
        ),
        sa.Column(
            "uplift_low",
            sa.Numeric(precision=18, scale=2),
            nullable=True,
            comment="lower end of the measured interval; null if untested",
        ),
        sa.Column(
            "uplift_high",
            sa.Numeric(precision=18, scale=2),
            nullable=True,
            comment="upper end of the measured interval; null if untested",
        ),
        sa.Column(
            "expected_value",
            sa.Numeric(precision=18, scale=2),
            nullable=True,
            comment=(
                "shop currency for the whole segment in 28 days: uplift if proven or harmful, else the"
                " prior less the discount, times customers; null without a model"
            ),
        ),
        sa.PrimaryKeyConstraint("as_of", "segment_id", "rank"),
        schema="marts",
        comment=(
            "Grain: as_of, segment, rank. What to do about each segment, best first. Expected "
            "values of actions of one segment are alternatives: do not sum them."
        ),
    )
    op.create_table(
        "campaigns",
        sa.Column(
            "campaign_id", sa.Integer(), sa.Identity(always=True), nullable=False, comment="number of the campaign"
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="name given at launch"),
        sa.Column(
            "action", sa.Text(), nullable=False, comment="id of the action in the playbook; several: joined by ' + '"
        ),
        sa.Column(
            "arms", postgresql.ARRAY(sa.Text()), nullable=False, comment="{treated}, or the actions that are compared"
        ),
        sa.Column(
            "arm_shares",
            postgresql.ARRAY(sa.Double()),
            nullable=False,
            comment="share of the treated in each arm; sums to 1",
        ),
        sa.Column(
            "segment_ids",
            postgresql.ARRAY(sa.Integer()),
            nullable=False,
            comment="segments that its customers were in at launch",
        ),
        sa.Column(
            "launched_on",
            sa.Date(),
            nullable=False,
            comment="first business day of the campaign: spend counts from its start",
        ),
        sa.Column("ends_on", sa.Date(), nullable=False, comment="last business day of the campaign"),
        sa.Column("planned_end", sa.Date(), nullable=False, comment="last business day as planned at launch"),
        sa.Column(
            "control_share",
            sa.Double(),
            nullable=False,
            comment="share of its customers meant to be left alone, 0 to 1",
        ),
        sa.Column(
            "split",
            sa.Text(),
            nullable=False,
            comment=(
                "random (the campaign draws among those not held out) or holdout (the shop's holdout is the control)"
            ),
        ),
        sa.Column(
            "follows",
            sa.Integer(),
            nullable=True,
            comment="earlier campaign whose learning it goes on with; null = none",
        ),
        sa.Column(
            "labels_of",
            sa.Date(),
            nullable=False,
            comment="business day of the segment labels that were frozen at launch",
        ),
        sa.Column("created_by", sa.Text(), nullable=False, comment="database role that launched it"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="when it was launched"),
        sa.CheckConstraint("split in ('random', 'holdout')", name="campaigns_split"),
        sa.CheckConstraint("ends_on >= launched_on", name="campaigns_order"),
        sa.PrimaryKeyConstraint("campaign_id"),
        schema="marts",
        comment=(
            "Grain: campaign. Launched with marts.launch_campaign or marts.launch_comparison, "
            "ended early with marts.end_campaign; see docs/ACTIONS.md."
        ),
    )
    op.create_table(
        "campaign_members",
        sa.Column(
            "campaign_id", sa.Integer(), autoincrement=False, nullable=False, comment="campaign, see marts.campaigns"
        ),
        sa.Column("customer_id", sa.Text(), nullable=False, comment="the shop's customer key, as text"),
        sa.Column("arm", sa.Text(), nullable=False, comment="control (leave alone), treated, or the action to try"),
        sa.Column(
            "segment_id", sa.Integer(), nullable=False, comment="segment at launch; it does not follow the customer"
        ),
        sa.PrimaryKeyConstraint("campaign_id", "customer_id"),
        schema="marts",
        comment=(
            "Grain: campaign, customer. Who is in a campaign and in which group: frozen at launch."
            " Write to nobody whose arm is control."
        ),
    )
    op.create_table(
        "campaign_results",
        sa.Column("as_of", sa.Date(), nullable=False, comment="business day up to whose end spend counts"),
        sa.Column(
            "campaign_id", sa.Integer(), autoincrement=False, nullable=False, comment="campaign, see marts.campaigns"
        ),
        sa.Column(
            "segment_id",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="segment at launch; -1 = all of the campaign",
        ),
        sa.Column(
            "arm", sa.Text(), nullable=False, comment="treated, or the action of a campaign that compares several"
        ),
        sa.Column("action", sa.Text(), nullable=False, comment="id of the action in the playbook"),
        sa.Column("days", sa.Integer(), nullable=False, comment="days since the launch, the first included"),
        sa.Column(
            "treated", sa.Integer(), nullable=False, comment="customers of the arm who are still in the shop's data"
        ),
        sa.Column(
            "control", sa.Integer(), nullable=False, comment="customers left alone who are still in the shop's data"
        ),
        sa.Column(
            "sample_ratio_p",
            sa.Double(),
            nullable=False,
            comment=(
                "chance of groups so far from the planned split; tiny = the groups are not comparable, no verdict"
            ),
        ),
        sa.Column(
            "control_spend",
            sa.Numeric(precision=18, scale=2),
            nullable=True,
            comment=(
                "net spend per customer left alone since the launch, shop currency; null for fewer than 10 customers"
            ),
        ),
        sa.Column(
            "uplift",
            sa.Numeric(precision=18, scale=2),
            nullable=True,
            comment=(
                "net spend more per treated customer since the launch, shop currency, adjusted for "
                "spend before it; null if it cannot be told"
            ),
        ),
        sa.Column(
            "uplift_low",
            sa.Numeric(precision=18, scale=2),
            nullable=True,
            comment="lower end of the interval that may be looked at every night",
        ),
        sa.Column(
            "uplift_high",
            sa.Numeric(precision=18, scale=2),
            nullable=True,
            comment="upper end of it; all nights' intervals together cover with 95 %",
        ),
        sa.Column(
            "final_low",
            sa.Numeric(precision=18, scale=2),
            nullable=True,
            comment=("lower end of the 95 % interval for one look at the planned last night; null on other nights"),
        ),
        sa.Column("final_high", sa.Numeric(precision=18, scale=2), nullable=True, comment="upper end of it"),
        sa.Column(
            "evidence",
            sa.Text(),
            nullable=False,
            comment="testing; proven if uplift_low is above 0; harmful if uplift_high is below 0",
        ),
        sa.Column("message", sa.Text(), nullable=False, comment="the result in words, or why there is no verdict"),
        sa.PrimaryKeyConstraint("as_of", "campaign_id", "segment_id", "arm"),
        schema="marts",
        comment=(
            "Grain: as_of, campaign, segment, arm. What each campaign has brought so far. Nights "
            "are cumulative, and segment -1 holds all: sum neither."
        ),
    )
    op.create_table(
        "campaign_allocation",
        sa.Column("as_of", sa.Date(), nullable=False, comment="business day up to whose end spend counts"),
        sa.Column(
            "campaign_id", sa.Integer(), autoincrement=False, nullable=False, comment="campaign, see marts.campaigns"
        ),
        sa.Column("arm", sa.Text(), nullable=False, comment="action that competes"),
        sa.Column(
            "customers", sa.Integer(), nullable=False, comment="customers of the arm who are still in the shop's data"
        ),
        sa.Column(
            "mean_spend",
            sa.Numeric(precision=18, scale=2),
            nullable=True,
            comment=(
                "net spend per customer since the launch, adjusted for spend before; null for fewer than 10 customers"
            ),
        ),
        sa.Column("standard_error", sa.Double(), nullable=True, comment="of mean_spend, shop currency"),
        sa.Column(
            "chance_best",
            sa.Double(),
            nullable=True,
            comment=(
                "chance that the arm is the best, given this campaign and those it follows; null if it cannot be told"
            ),
        ),
        sa.Column("share_now", sa.Double(), nullable=False, comment="share of the treated in this campaign, 0 to 1"),
        sa.Column(
            "share_next",
            sa.Double(),
            nullable=False,
            comment="share proposed for the next one; sums to 1 over the arms",
        ),
        sa.PrimaryKeyConstraint("as_of", "campaign_id", "arm"),
        schema="marts",
        comment=(
            "Grain: as_of, campaign, arm; only campaigns that compare actions. How to split the "
            "next campaign (Thompson sampling): marts.launch_comparison takes it with follows."
        ),
    )
    functions = Path(__file__).with_name("0005_campaign_functions.sql").read_text()
    # the driver takes a single per cent sign for a placeholder
    op.get_bind().exec_driver_sql(functions.replace("%", "%%"))


def downgrade() -> None:
    for function in ("end_campaign", "launch_campaign", "launch_comparison"):
        op.execute(f"drop function marts.{function}")
    for table in ("campaign_allocation", "campaign_results", "campaign_members", "campaigns", "segment_actions"):
        op.drop_table(table, schema="marts")
