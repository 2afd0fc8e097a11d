"""The page of an assessment."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from sagemaker_provider.assessment_page import SIGNS, page
from sagemaker_provider.definition.findings import finding
from sagemaker_provider.translator.assessment import AssessedDag, AssessedTask, Assessment, Verdict

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)> & {{ 7 * 7 }}"
EMPTY = {"meta", "path", "rect", "br", "input"}


class Page(HTMLParser):
    """The elements of a page, which has to be balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.content: dict[str, str] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.content[self.open[-1]] = self.content.get(self.open[-1], "") + data

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [found for name, found in self.elements if name == tag and wanted.items() <= found.items()]


def assessment(name: str = "d", task: str = "work") -> Assessment:
    found = finding("SMP603", f"about {name}", task=task, dag=name, file="f.py")
    wrong = finding("SMP201", "no translation", task="other", dag=name, file="f.py")
    broken = finding("SMP101", f"No module named '{name}'", file="g.py")
    tasks = (
        AssessedTask(task, f"package.{name}", Verdict.DIFFERENCE, ("other",), ("Training",)),
        AssessedTask("other", "package.Other", Verdict.STAYS, ()),
    )
    dags = (
        AssessedDag(name, "f.py", Verdict.STAYS, tasks, (found, wrong)),
        AssessedDag(
            "", "g.py", Verdict.UNKNOWN, (AssessedTask("x", "Unread", Verdict.UNKNOWN, ("x",)),), (), (broken,)
        ),
    )
    return Assessment(2, dags, (broken,))


@pytest.fixture(scope="module")
def shown() -> Page:
    return Page(page(assessment(), "dags"))


def test_nothing_that_a_dag_holds_becomes_markup() -> None:
    plain, hostile = Page(page(assessment(), "dags")), Page(page(assessment(HOSTILE, HOSTILE), HOSTILE))
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in plain.elements]
    assert [sorted(given) for _, given in hostile.elements] == [sorted(given) for _, given in plain.elements]
    assert HOSTILE in hostile.content["strong"]
    assert not any(name.startswith("on") or name == "style" for _, given in hostile.elements for name in given)


def test_the_page_allows_its_own_style_and_script_only(shown: Page) -> None:
    (policy,) = shown.all("meta", **{"http-equiv": "Content-Security-Policy"})
    parts = dict(part.strip().split(" ", 1) for part in str(policy["content"]).split(";"))
    assert parts["default-src"] == "'none'"
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(shown.content[kind].encode()).digest()).decode()
        assert parts[f"{kind}-src"] == f"'sha256-{digest}'"


def test_the_page_needs_nothing_beside_itself(shown: Page) -> None:
    assert not [given for _, given in shown.elements if "src" in given]
    links = [str(given["href"]) for _, given in shown.elements if "href" in given]
    assert links
    assert all(link.startswith("#") for link in links)
    assert "url(" not in shown.content["style"]
    assert not re.search(r"https?://", shown.content["script"] + shown.content["style"])


def test_every_link_has_its_place(shown: Page) -> None:
    ids = [given["id"] for _, given in shown.elements if "id" in given]
    assert len(ids) == len(set(ids))
    assert {str(given["href"])[1:] for _, given in shown.elements if "href" in given} <= set(ids)


def test_a_verdict_is_a_sign_and_a_word_not_only_a_colour(shown: Page) -> None:
    assert len(set(SIGNS.values())) == len(Verdict)
    for verdict in (Verdict.DIFFERENCE, Verdict.STAYS, Verdict.UNKNOWN):
        assert f"{SIGNS[verdict]} {verdict.value}" in shown.content["span"]
        assert SIGNS[verdict] in shown.content["text"]
        assert verdict.value in shown.content["title"]


def test_the_graph_has_a_box_for_each_task_and_says_its_size(shown: Page) -> None:
    drawings = [given["aria-label"] for given in shown.all("svg", role="group")]
    assert drawings == ["2 tasks, 1 dependencies", "1 tasks, 1 dependencies"]
    assert len(shown.all("rect", rx="6")) == 3


def test_a_dag_can_be_found_by_all_that_it_is(shown: Page) -> None:
    first, second = shown.all("details", **{"class": "dag"})
    assert (first["data-codes"], first["data-verdict"], first["data-left"]) == ("SMP201 SMP603", "stays", "1")
    assert (first["data-text"], second["data-text"]) == ("d f.py work other", "g.py g.py x")


def test_no_dags_are_a_page_too() -> None:
    assert Page(page(Assessment(0, (), ()), "dags")).all("h1")


def test_the_same_assessment_is_the_same_page() -> None:
    assert page(assessment(), "dags") == page(assessment(), "dags")
