-- How marketing launches and ends campaigns. The functions run with their owner's rights (security definer), because
-- role marketing may not write: hence the fixed search path, full names and checked arguments.

create function marts.launch_comparison(
    name text,
    actions text[],
    segment_ids integer[],
    starts date,
    ends date,
    control_share double precision default null,
    split text default 'random',
    arm_shares double precision[] default null,
    follows integer default null
) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $function$
<<launch>>
declare
    newest date;
    known text[];
    proposed double precision[];
    shares double precision[];
    bounds double precision[];
    arms text[];
    missing text;
    new_id integer;
    treated bigint;
    held bigint;
    frozen date;
begin
    select max(as_of) into newest from marts.customer_segments;
    if newest is null then
        raise exception 'no night has been published yet, so there are no segments to launch a campaign for'
            using errcode = '22023';
    end if;
    if coalesce(trim(launch_comparison.name), '') = '' then
        raise exception 'name is empty' using errcode = '22023', hint = 'Give the campaign a name.';
    end if;

    if coalesce(cardinality(launch_comparison.actions), 0) = 0 or array_position(launch_comparison.actions, null) is not null then
        raise exception 'action is missing' using errcode = '22023',
            hint = 'Name an action of the playbook, for example one of marts.segment_actions.';
    end if;
    if (select count(distinct a) from unnest(launch_comparison.actions) as a) < cardinality(launch_comparison.actions) then
        raise exception 'an action is named twice' using errcode = '22023';
    end if;
    select array_agg(distinct action order by action) into known
    from marts.segment_actions where as_of = newest;
    select a into missing from unnest(launch_comparison.actions) as a
    where a <> all (coalesce(known, '{}')) order by a limit 1;
    if missing is not null then
        raise exception 'action % is not recommended for any segment on %', quote_literal(missing), newest
            using errcode = '22023', hint = format(
                'Recommended are: %s. A new action goes into the playbook first and can be used after the next night.',
                coalesce(array_to_string(known, ', '), 'none'));
    end if;

    if coalesce(cardinality(launch_comparison.segment_ids), 0) = 0 or array_position(launch_comparison.segment_ids, null) is not null then
        raise exception 'segment_ids is empty' using errcode = '22023',
            hint = 'Give ids of marts.segments, for example array[3, 5].';
    end if;
    select s::text into missing from unnest(launch_comparison.segment_ids) as s
    where not exists (select from marts.customer_segments as c where c.segment_id = s) order by s limit 1;
    if missing is not null then
        raise exception 'segment % has no customers on %', missing, newest using errcode = '22023',
            hint = 'See marts.segments for the active ones.';
    end if;

    if starts is null or ends is null then
        raise exception 'starts and ends must be given' using errcode = '22023';
    elsif starts <= newest then
        raise exception 'starts is %, but the segments are of the end of %', starts, newest using errcode = '22023',
            hint = format('Start on %s or later: spend before the launch is what the groups are compared by.', newest + 1);
    elsif starts > newest + 60 then
        raise exception 'starts is % days after the segments were made', starts - newest using errcode = '22023',
            hint = 'Launch it within 60 days of its start, with segments that still hold.';
    elsif ends < starts then
        raise exception 'ends (%) lies before starts (%)', ends, starts using errcode = '22023';
    elsif ends > starts + 365 then
        raise exception 'the campaign would run for % days', ends - starts + 1 using errcode = '22023',
            hint = 'At most 366 days.';
    end if;

    if launch_comparison.split is null or launch_comparison.split not in ('random', 'holdout') then
        raise exception 'split is %', coalesce(quote_literal(launch_comparison.split), 'null') using errcode = '22023',
            hint = 'Use ''random'' (the campaign draws its own control group) or ''holdout'' (the shop''s holdout is it).';
    elsif launch_comparison.split = 'holdout' and launch_comparison.control_share is not null then
        raise exception 'control_share is given, but split is ''holdout''' using errcode = '22023',
            hint = 'The shop''s holdout is the control group; leave control_share out.';
    elsif launch_comparison.control_share is not null
        and (launch_comparison.control_share not between 0.01 and 0.9 or launch_comparison.control_share = 'NaN') then
        raise exception 'control_share is %', launch_comparison.control_share using errcode = '22023',
            hint = 'Give a share from 0.01 to 0.9; 0.1 if left out.';
    end if;

    if launch_comparison.follows is not null then
        if not exists (select from marts.campaigns as c where c.campaign_id = launch_comparison.follows) then
            raise exception 'there is no campaign % to follow', launch_comparison.follows using errcode = '22023';
        end if;
        select array_agg(a.share_next order by named.number) into proposed
        from unnest(launch_comparison.actions) with ordinality as named(arm, number)
        join marts.campaign_allocation as a on a.arm = named.arm and a.campaign_id = launch_comparison.follows
        where a.as_of = (
            select max(newest_one.as_of) from marts.campaign_allocation as newest_one
            where newest_one.campaign_id = launch_comparison.follows
        );
        if arm_shares is null and coalesce(cardinality(proposed), 0) < cardinality(launch_comparison.actions) then
            raise exception 'campaign % proposes no split for these actions', launch_comparison.follows
                using errcode = '22023',
                hint = 'See marts.campaign_allocation; name the same actions, or give arm_shares.';
        end if;
    end if;
    shares := coalesce(
        launch_comparison.arm_shares, proposed,
        array_fill(1.0 / cardinality(launch_comparison.actions), array[cardinality(launch_comparison.actions)])
    );
    if cardinality(shares) <> cardinality(launch_comparison.actions)
        or exists (select from unnest(shares) as s where s is null or s not between 0 and 1)
        or abs((select sum(s) from unnest(shares) as s) - 1) > 0.001 then
        raise exception 'arm_shares is %', shares using errcode = '22023',
            hint = format('Give %s shares that sum to 1.', cardinality(launch_comparison.actions));
    end if;
    arms := case when cardinality(launch_comparison.actions) = 1 then array['treated'] else launch_comparison.actions end;
    -- where each arm but the last ends on [0, 1)
    select coalesce(array_agg(bound order by number), '{}') into bounds
    from (select number, sum(s) over (order by number) as bound from unnest(shares) with ordinality as u(s, number)) as ends_of
    where number < cardinality(shares);

    new_id := nextval(pg_get_serial_sequence('marts.campaigns', 'campaign_id'));
    -- one statement, so that the campaign and its members see the same night
    with customer as materialized (
        select
            c.customer_id,
            c.segment_id,
            c.holdout,
            -- uniform on [0, 1) by customer, drawn anew for each campaign
            ('x' || left(md5('campaign ' || new_id || ':' || c.customer_id), 8))::bit(32)::bigint::double precision / 4294967296 as draw
        from marts.customer_segments as c
        where c.segment_id = any (launch_comparison.segment_ids)
            and (launch_comparison.split = 'holdout' or not c.holdout)
            -- null = the shop does not say
            and c.may_contact is not false
    ),

    campaign as (
        insert into marts.campaigns (
            campaign_id, name, action, arms, arm_shares, segment_ids, launched_on, ends_on, planned_end, control_share,
            split, follows, labels_of, created_by, created_at
        )
        overriding system value
        select
            new_id,
            trim(launch_comparison.name),
            array_to_string(launch_comparison.actions, ' + '),
            launch.arms,
            shares,
            (select array_agg(distinct s order by s) from unnest(launch_comparison.segment_ids) as s),
            starts,
            ends,
            ends,
            case
                when launch_comparison.split = 'random' then coalesce(launch_comparison.control_share, 0.1)
                else (select avg(c.holdout::integer) from marts.customer_segments as c)
            end,
            launch_comparison.split,
            launch_comparison.follows,
            (select max(c.as_of) from marts.customer_segments as c),
            session_user,
            now()
        returning campaigns.control_share, campaigns.labels_of
    ),

    placed as (
        select
            customer.customer_id,
            customer.segment_id,
            case launch_comparison.split
                when 'holdout' then customer.holdout
                else customer.draw < campaign.control_share
            end as is_control,
            case launch_comparison.split
                when 'holdout' then customer.draw
                else (customer.draw - campaign.control_share) / (1 - campaign.control_share)
            end as position,
            campaign.labels_of
        from customer cross join campaign
    ),

    member as (
        insert into marts.campaign_members (campaign_id, customer_id, arm, segment_id)
        select
            new_id,
            customer_id,
            case
                when is_control then 'control'
                else launch.arms[1 + width_bucket(placed.position, bounds)]
            end,
            segment_id
        from placed
        returning arm
    )

    select
        count(*) filter (where arm <> 'control'),
        count(*) filter (where arm = 'control'),
        (select labels_of from campaign)
    into treated, held, frozen
    from member;

    if starts <= frozen then
        raise exception 'a new night was published meanwhile: starts must be after %', frozen using errcode = '22023';
    elsif least(treated, held) < 10 then
        raise exception 'too few customers: % to treat, % to leave alone', treated, held using errcode = '22023',
            hint = 'Take more segments or another control_share: both groups need 10 customers, hundreds to learn anything.';
    end if;
    return new_id;
end
$function$;

comment on function marts.launch_comparison is
    'Launch a campaign that compares several actions: freezes who is in which arm and who is left alone. Returns its id. '
    'arm_shares splits the treated; follows takes the split that an earlier campaign proposes.';

create function marts.launch_campaign(
    name text,
    action text,
    segment_ids integer[],
    starts date,
    ends date,
    control_share double precision default null,
    split text default 'random'
) returns integer
language sql set search_path = pg_catalog, pg_temp
as $function$
    select marts.launch_comparison(
        launch_campaign.name, array[launch_campaign.action], launch_campaign.segment_ids, starts, ends,
        launch_campaign.control_share, launch_campaign.split
    )
$function$;

comment on function marts.launch_campaign is
    'Launch a campaign: freezes who of the segments is treated and who is left alone. Returns its id. split ''random'' draws '
    'control_share (0.1 if left out) of those not held out; ''holdout'' takes the shop''s holdout as the control group.';

create function marts.end_campaign(campaign_id integer, ends date default null) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $function$
declare
    campaign marts.campaigns%rowtype;
    newest date;
    last date;
begin
    select max(c.as_of) into newest from marts.customer_segments as c;
    select * into campaign from marts.campaigns as c where c.campaign_id = end_campaign.campaign_id for update;
    if campaign.campaign_id is null then
        raise exception 'there is no campaign %', coalesce(end_campaign.campaign_id::text, 'null')
            using errcode = '22023', hint = 'See marts.campaigns.';
    end if;
    last := coalesce(end_campaign.ends, newest + 1);
    if last > campaign.ends_on then
        raise exception 'campaign % ends on % already', campaign.campaign_id, campaign.ends_on using errcode = '22023',
            hint = 'It cannot be prolonged; launch another one.';
    end if;
    if last < campaign.launched_on then
        if newest >= campaign.launched_on then
            raise exception 'ends (%) lies before the launch on %', last, campaign.launched_on using errcode = '22023';
        end if;
        delete from marts.campaign_members as m where m.campaign_id = campaign.campaign_id;
        delete from marts.campaigns as c where c.campaign_id = campaign.campaign_id;
        return format('Campaign %s had not begun and was removed.', campaign.campaign_id);
    end if;
    update marts.campaigns as c set ends_on = last where c.campaign_id = campaign.campaign_id;
    return format('Campaign %s ends on %s.', campaign.campaign_id, last);
end
$function$;

comment on function marts.end_campaign is
    'End a campaign early; its last day is ends (the day after the newest night if left out). One that has not begun is removed.';

revoke execute on function
    marts.launch_comparison(text, text[], integer[], date, date, double precision, text, double precision[], integer),
    marts.launch_campaign(text, text, integer[], date, date, double precision, text),
    marts.end_campaign(integer, date)
from public;
