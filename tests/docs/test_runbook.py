"""Whoever is on call finds every error, gate and setting in the runbook under the name that the system says."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from segmentation import errors
from segmentation.config import settings_doc
from segmentation.demo.stack import ROOT

PAGE = (ROOT / "docs" / "RUNBOOK.md").read_text()


def test_every_error_is_in_the_runbook() -> None:
    named = [name for name, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]
    assert len(named) > 30
    assert not [name for name in named if f"`{name}`" not in PAGE]


def test_every_gate_is_in_the_runbook() -> None:
    source = "".join(
        (ROOT / "include" / "segmentation" / file).read_text()
        for file in ("evaluate/gates.py", "validate/validate_day.py")
    )
    # a gate's name is written whole, or handed to the function that puts gate_ before it
    names = set(re.findall(r'"gate_(\w+)"', source)) | set(re.findall(r'(?:_holding|_unjudged)\("(\w+)"', source))
    names |= set(re.findall(r'^    name = "(\w+)"', source, re.MULTILINE))
    names |= {f"{kind}_{what}" for kind in ("input", "feature") for what in ("nulls", "drift")}
    assert len(names) == 12
    assert not [name for name in names if f"`gate_{name}`" not in PAGE]


def test_every_setting_named_in_the_runbook_exists() -> None:
    known = settings_doc()
    for name in re.findall(r"(?<!AIRFLOW_CONN_)SEGMENTATION_[A-Z_0-9]+(?<!_)", PAGE):
        assert f"`{name}" in known, name


def test_every_page_that_the_runbook_links_to_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert Path(ROOT / "docs" / target).exists(), target
    headings = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for anchor in re.findall(r"\]\(#([^)]+)\)", PAGE):
        assert anchor in anchors, anchor
