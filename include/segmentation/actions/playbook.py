"""Marketing's playbook: a YAML file of actions, read, checked, and refused with line and column where it is wrong."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from segmentation.actions.traits import TRAITS, said
from segmentation.errors import InvalidPlaybook

DEFAULT_PLAYBOOK = Path(__file__).with_name("playbook.yml")

EVERYBODY = "everybody"
NO_ORDER = "customers without an order"
EXPECTED_SPEND = "of expected spend"
AVERAGE_ORDER = "of an average order"
PER_CUSTOMER = "per customer"

_CONDITION = re.compile(
    r"(?P<trait>\w+)\s+(?:(?P<side>above|below)\s+"
    r"(?:(?P<shop>shop)(?:\s+by\s+(?P<by>\d+(?:\.\d+)?)\s*%)?|(?P<value>\d+(?:\.\d+)?)(?P<percent>\s*%)?)|is\s+known)"
)
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_PRIOR = re.compile(
    rf"(?P<value>-?\d+(?:\.\d+)?)(?P<percent>\s*%)?\s+(?P<of>{EXPECTED_SPEND}|{AVERAGE_ORDER}|{PER_CUSTOMER})"
)


class Condition(BaseModel):
    """A condition on one figure of a segment.

    Attributes
    ----------
    trait
        Name of the figure, of `segmentation.actions.traits.TRAITS`.
    side
        above, below, or known (it need only be there).
    limit
        A figure; or, if ``of_shop``, a factor on the shop's.
    of_shop
        Whether it is compared with the shop.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trait: str
    side: str
    limit: float = 0.0
    of_shop: bool = False

    def holds(self, segment: Mapping[str, float | None], shop: Mapping[str, float | None]) -> bool:
        """Tell whether a segment meets it; a figure that is not known meets nothing.

        Parameters
        ----------
        segment, shop : mapping
            From `segmentation.actions.traits`.
        """
        value = segment[self.trait]
        if value is None or self.side == "known":
            return value is not None
        limit = self.limit
        if self.of_shop:
            usual = shop[self.trait]
            if usual is None:
                return False
            limit *= usual
        return value > limit if self.side == "above" else value < limit

    def __str__(self) -> str:
        if self.side == "known":
            return f"{self.trait} is known"
        if not self.of_shop:
            return f"{self.trait} {self.side} {said(self.trait, self.limit)}"
        by = round(100 * abs(self.limit - 1), 6)
        return f"{self.trait} {self.side} shop{f' by {by:g} %' if by else ''}"


class Prior(BaseModel):
    """What an action is believed to bring per customer before it was measured.

    Attributes
    ----------
    value
        Share of what ``of`` says, or shop currency per customer.
    of
        of expected spend, of an average order, or per customer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float
    of: str

    def __str__(self) -> str:
        return f"{self.value:.2f} {self.of}" if self.of == PER_CUSTOMER else f"{100 * self.value:g} % {self.of}"


def _text(value: object, expected: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"write {expected}")
    return " ".join(value.split())


def _condition(value: object) -> Condition:
    expected = '"<figure> above shop by 20 %", "<figure> below 0.3" or "<figure> is known"'
    text = _text(value, expected)
    name = text.split(" ", 1)[0]
    match = _CONDITION.fullmatch(text)
    if name not in TRAITS:
        if match is None:
            raise ValueError(f"write {expected}")
        raise ValueError(f"there is no figure {name!r}. {did_you_mean(name, TRAITS)}")
    if match is None:
        raise ValueError(f"write {expected}")
    if match["side"] is None:
        return Condition(trait=name, side="known")
    if match["shop"] is None:
        return Condition(trait=name, side=match["side"], limit=float(match["value"]) / (100 if match["percent"] else 1))
    by = float(match["by"] or 0) / 100
    if match["side"] == "below" and by >= 1:
        raise ValueError("no figure is below the shop's by 100 % or more")
    return Condition(trait=name, side=match["side"], limit=1 + by if match["side"] == "above" else 1 - by, of_shop=True)


def _who(value: object) -> object:
    if not isinstance(value, list):
        text = _text(value, f'a list of conditions, "{EVERYBODY}" or "{NO_ORDER}"')
        if text not in (EVERYBODY, NO_ORDER):
            raise ValueError(f'write a list of conditions, "{EVERYBODY}" or "{NO_ORDER}"')
        return text
    if not value:
        raise ValueError(f'the list is empty; write "{EVERYBODY}" for an action without conditions')
    return value


def _share(value: object) -> float:
    text = _text(value, 'a share such as "10 %", or "none"')
    if text == "none":
        return 0.0
    match = _SHARE.fullmatch(text)
    if match is None or float(match[1]) > 100:
        raise ValueError('write a share such as "10 %", or "none"')
    return float(match[1]) / 100


def _prior(value: object) -> Prior:
    expected = f'"6 % {EXPECTED_SPEND}", "3 % {AVERAGE_ORDER}" or "0.50 {PER_CUSTOMER}"'
    match = _PRIOR.fullmatch(_text(value, expected))
    if match is None or bool(match["percent"]) == (match["of"] == PER_CUSTOMER):
        raise ValueError(f"write {expected}")
    return Prior(value=float(match["value"]) / (100 if match["percent"] else 1), of=match["of"])


_Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
_Share = Annotated[float, BeforeValidator(_share)]
_WORDS, _CONDITIONS = "words", "conditions"
_When = Annotated[
    Annotated[str, Tag(_WORDS)]
    | Annotated[tuple[Annotated[Condition, BeforeValidator(_condition)], ...], Tag(_CONDITIONS)],
    Discriminator(lambda value: _WORDS if isinstance(value, str) else _CONDITIONS),
    BeforeValidator(_who),
]


class Entry(BaseModel):
    """One action of the playbook.

    Attributes
    ----------
    id
        Short name that campaigns refer to.
    when
        `EVERYBODY`, `NO_ORDER`, or conditions that must all hold.
    strategy, channel, offer, timing, why
        In marketing's words.
    discount_limit, take_up
        Shares, 0 to 1.
    prior_uplift
        What it is believed to bring in 28 days.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: _Id
    when: _When
    strategy: _Words
    channel: _Words
    offer: _Words
    timing: _Words
    discount_limit: _Share
    take_up: _Share = Field(0.0)
    prior_uplift: Annotated[Prior, BeforeValidator(_prior)]
    why: _Words

    @model_validator(mode="after")
    def _discount_has_a_take_up(self) -> Entry:
        if self.discount_limit and not self.take_up:
            raise ValueError("there is a discount_limit, but no take_up: say what share of customers will use it")
        return self

    def suits(
        self, segment: Mapping[str, float | None], shop: Mapping[str, float | None], *, has_ordered: bool
    ) -> bool:
        """Tell whether the action suits a segment.

        Parameters
        ----------
        segment, shop : mapping
            From `segmentation.actions.traits`.
        has_ordered : bool
            False for the segment of customers without an order.
        """
        if isinstance(self.when, str):
            return self.when == EVERYBODY or not has_ordered
        return has_ordered and all(condition.holds(segment, shop) for condition in self.when)


_ENTRIES = TypeAdapter(list[Entry])


def load_playbook(path: Path | None = None) -> list[Entry]:
    """Read and check a playbook.

    Parameters
    ----------
    path : Path or None
        YAML file; None = the one that comes with the product.

    Returns
    -------
    list of Entry
        In the order of the file; ids differ, and at least one action is for everybody.

    Raises
    ------
    InvalidPlaybook
        If the file cannot be read or says something wrong; the error names line and column.

    Examples
    --------
    >>> entries = load_playbook()
    >>> entries[0].id, str(entries[5].when[0])
    ('leave_alone', 'expected_churn_28d above shop by 20 %')
    >>> load_playbook(Path("no_such.yml"))
    Traceback (most recent call last):
    ...
    segmentation.errors.InvalidPlaybook: playbook no_such.yml: it cannot be read (No such file or directory). Set \
SEGMENTATION_ACTIONS__PLAYBOOK to a readable YAML file, or unset it to use the one that comes with the product.
    """
    path = path or DEFAULT_PLAYBOOK
    root = _composed(path)
    if not isinstance(root, yaml.SequenceNode):
        raise InvalidPlaybook(path, _place(root), "it is no list of actions", "Begin each action with `- id: …`.")
    _refuse_repeated_keys(path, root)
    content = _constructed(root)
    try:
        entries = _ENTRIES.validate_python(content)
    except ValidationError as error:
        raise _named(path, root, error) from error
    seen: dict[str, int] = {}
    for number, entry in enumerate(entries):
        if entry.id in seen:
            where = _place(_at(root, (number, "id")))
            first = _place(_at(root, (seen[entry.id], "id")))
            raise InvalidPlaybook(
                path, where, f"the id {entry.id!r} is there twice", f"The first is in line {first[0]}; rename one."
            )
        seen[entry.id] = number
    if not any(entry.when == EVERYBODY for entry in entries):
        raise InvalidPlaybook(
            path,
            None,
            f"no action has `when: {EVERYBODY}`",
            "Every segment needs one that suits it; add such an action.",
        )
    return entries


def described(entry: Entry) -> str:
    """Write an action as it was understood.

    Examples
    --------
    >>> print(described(load_playbook()[0]))
    leave_alone: leave alone
      for      everybody
      how      none: none; until the figures change
      brings   0 % of expected spend (prior), no discount
      because  An action that costs more than it brings is worse than none.
    """
    who = entry.when if isinstance(entry.when, str) else " and ".join(str(condition) for condition in entry.when)
    discount = (
        f"at most {100 * entry.discount_limit:g} % off, taken by {100 * entry.take_up:g} %"
        if entry.discount_limit
        else "no discount"
    )
    return "\n".join(
        (
            f"{entry.id}: {entry.strategy}",
            f"  for      {who}",
            f"  how      {entry.channel}: {entry.offer}; {entry.timing}",
            f"  brings   {entry.prior_uplift} (prior), {discount}",
            f"  because  {entry.why}",
        )
    )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the nearest known name, or all of them.

    Examples
    --------
    >>> did_you_mean("recency_day_median", ["recency_days_median", "share"])
    "Did you mean 'recency_days_median'?"
    """
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known are: {', '.join(names)}."


def _composed(path: Path) -> yaml.Node:
    remedy = (
        "Set SEGMENTATION_ACTIONS__PLAYBOOK to a readable YAML file, or unset it to use the one that comes with the "
        "product."
    )
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise InvalidPlaybook(path, None, f"it cannot be read ({error.strerror})", remedy) from error
    except UnicodeDecodeError as error:
        raise InvalidPlaybook(path, None, "it is not UTF-8 text", "Save it as UTF-8.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = (mark.line + 1, mark.column + 1) if mark is not None else None
        problem = f"it is no valid YAML ({getattr(error, 'problem', None) or 'it cannot be parsed'})"
        raise InvalidPlaybook(
            path, place, problem, "Mind the indentation, and put a text that holds a colon and a space in quotes."
        ) from error
    if root is None:
        raise InvalidPlaybook(path, None, "it is empty", "Begin with a copy of actions/playbook.yml.")
    return root


def _refuse_repeated_keys(path: Path, root: yaml.SequenceNode) -> None:
    """Refuse an entry that says one thing twice: YAML itself would keep the last without a word."""
    for entry in root.value:
        keys: set[object] = set()
        for key, _ in entry.value if isinstance(entry, yaml.MappingNode) else ():
            if key.value in keys:
                raise InvalidPlaybook(path, _place(key), f"{key.value!r} is there twice in one action", "Remove one.")
            keys.add(key.value)


def _constructed(root: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _named(path: Path, root: yaml.Node, error: ValidationError) -> InvalidPlaybook:
    """Turn pydantic's first complaint into ours: where, what, and what to write."""
    first = error.errors()[0]
    # pydantic puts the kind of `when` into the path; the file has no such level
    location = tuple(part for part in first["loc"] if part not in (_WORDS, _CONDITIONS))
    key = str(location[-1]) if location else ""
    node = _at(root, location)
    if first["type"] == "extra_forbidden":
        return InvalidPlaybook(
            path, _place(_key_at(root, location)), f"unknown entry {key!r}", did_you_mean(key, Entry.model_fields)
        )
    if first["type"] == "missing":
        return InvalidPlaybook(
            path, _place(node), f"{key!r} is missing from the action that begins here", f"Add a line `{key}: …`."
        )
    message = str(first["msg"]).removeprefix("Value error, ")
    field = next((part for part in reversed(location) if isinstance(part, str)), "")
    if first["type"] == "string_pattern_mismatch":
        message = "use lower-case letters, digits and _, beginning with a letter"
    elif first["type"] in ("string_type", "string_too_short"):
        message = "write a text, in quotes if it is a number"
    value = first["input"]
    shown = f"{field} is {value!r}" if field and not isinstance(value, Mapping) else "the action is incomplete"
    remedy = f"{message[:1].upper()}{message[1:]}"
    return InvalidPlaybook(path, _place(node), shown, remedy if remedy[-1] in ".?" else f"{remedy}.")


def _at(root: yaml.Node, location: Iterable[str | int]) -> yaml.Node:
    """Follow a path as far as there are nodes."""
    node = root
    for part in location:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
        elif isinstance(node, yaml.MappingNode):
            found = next((value for key, value in node.value if key.value == part), None)
            if found is None:
                return node
            node = found
    return node


def _key_at(root: yaml.Node, location: tuple[str | int, ...]) -> yaml.Node:
    parent = _at(root, location[:-1])
    if isinstance(parent, yaml.MappingNode):
        return next((key for key, _ in parent.value if key.value == location[-1]), parent)
    return parent


def _place(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
