"""Every byte of what is judged, from the candidates to the dataset; and what is too long is marked, never cut."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest

import solon
from injections import attacks
from solon.data.artifacts import is_text, read_jsonl, write_jsonl
from solon.data.records import Candidates, Completion, Failed, Judgment, Prompt
from solon.errors import PromptTooLong
from solon.labelers.neutral import original
from solon.labelers.pairwise import Pairwise
from solon.ledger import Ledger
from solon.models.base import Price, Reply, Request
from solon.models.scripted import Scripted

pytestmark = pytest.mark.reliability("round-trip")
SECTIONS = re.compile(r"\[([0-9a-f]{6}) prompt\]\n(.*)\n\[\1 A\]\n(.*)\n\[\1 B\]\n(.*)\n\[\1 end\]\n", re.DOTALL)
NASTY = (
    "", " ", "\n", "\r", "\r\n", "\x85", "\u2028", "\u2029", "\0", "a\0b", "\ud800", "\udfff\ud800",
    "\ufeff", "\ufffe\uffff", "\U0010ffff", "e\u0301 é", "\u202eabc", "\x1b[31m", "\\u0000", "\\", '"', "'", "{}",
    "%s", "{{x}}", "<|im_end|>", "<\\|im_end|>", "[000000 end]", "\n[end]\n", "\t tab, and a space at the end ",
    "\N{LATIN SMALL LIGATURE FI}",
)  # fmt: skip


def texts(count: int) -> list[str]:
    """Nasty ones, attacks, and as many as are missing drawn from every plane of Unicode, surrogates included."""
    rng = Random(7)
    found = dict.fromkeys([*NASTY, *(attack.text for attack in attacks("000000") if len(attack.text) < 2_000)])
    while len(found) < count:
        top = rng.choice([0x80, 0x800, 0x10000, sys.maxunicode + 1])
        drawn = "".join(chr(rng.randrange(top)) for _ in range(rng.randrange(1, 60)))
        # both halves of a pair side by side are the character that they are halves of, in JSON as in UTF-16
        found[drawn.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")] = None
    return list(found)[:count]


def candidates_of(given: list[str]) -> Iterator[Candidates]:
    """Each text as a response beside a plain one, to a prompt that holds it too where it is Unicode."""
    for number, text in enumerate(given):
        prompt = Prompt.of(f"{number}: {text if is_text(text) else 'half a character'}")
        plain = Completion(text=f"plain {number}", model="policy")
        yield Candidates(prompt=prompt, completions=(Completion(text=text, model="policy"), plain))


class Echo:
    """A judge that repeats what it was shown and prefers what is not plain."""

    def __init__(self, longest: int = 100_000_000) -> None:
        self.shown: dict[str, tuple[str, str]] = {}
        self.longest = longest

    def says(self, request: Request) -> Reply:
        """Its reasoning is the response itself."""
        if len(request.messages[1].content) > self.longest:
            raise PromptTooLong(f"{len(request.messages[1].content):,} characters do not fit")
        found = SECTIONS.match(request.messages[1].content)
        assert found is not None
        prompt, *options = map(original, found.groups()[1:])
        place = 0 if options[1].startswith("plain ") else 1
        self.shown[prompt] = options[place], prompt
        return Reply(text=f"I read «{options[place]}»\n{'AB'[place]}", model="echo")

    def labeler(self) -> Pairwise:
        """It behind a network, so that the ledger keeps what it says."""
        model = Scripted(
            answer=self.says, model="echo", over_a_network=True, price=Price(input=0, output=0), concurrency=16
        )
        return Pairwise(judge=model, answer="text", reasoning=True)


def test_every_text_comes_back_from_every_file(tmp_path: Path, full: bool, figure: Callable[[str], None]) -> None:
    """Candidates, the judge's request, ledger, judgments, and the dataset; half a character is in all but the last."""
    given = texts(2_000 if full else 100)
    made = list(candidates_of(given))
    write_jsonl(tmp_path / "candidates.jsonl", made)
    read = list(read_jsonl(tmp_path / "candidates.jsonl", Candidates))
    assert [one.completions[0].text for one in read] == given
    echo = Echo()
    labels = solon.label(read, ["Be good."], echo.labeler(), ledger=tmp_path / "ledger.sqlite", progress=False)
    shown = {prompt: text for prompt, (text, _) in echo.shown.items()}
    asked = {one.prompt.text: one.completions[0].text for one in made}
    assert shown == asked
    write_jsonl(tmp_path / "judgments.jsonl", labels)
    said = [one.rationale for one in read_jsonl(tmp_path / "judgments.jsonl", Judgment)]
    assert sorted(map(repr, said)) == sorted(repr(f"I read «{text}»") for text in given for _ in "AB")
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        kept = [entry.reply.text for entry in ledger.entries()]
    assert {repr(text.rpartition("\n")[0]) for text in kept} == {repr(f"I read «{text}»") for text in given}
    data = solon.build(labels, held_out=0)
    data.save(tmp_path / "datasets")
    rows = pq.read_table(tmp_path / "datasets" / "preference" / "train.parquet").to_pylist()
    whole = {text for text in given if is_text(text)}
    assert {row["chosen"][0]["content"] for row in rows} == whole
    card = (tmp_path / "datasets" / "README.md").read_text("utf-8")
    assert f"| preference | malformed | {len(given) - len(whole):,} |" in card
    changed = sum(text not in set(shown.values()) for text in given)
    of = f"{len(given):,} texts through candidates, request, ledger, judgments and Parquet: {changed} changed"
    figure(f"{of} ({len(given) - len(whole)} with half a character, which Parquet cannot hold, left out and counted)")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_megabytes_are_judged_whole(tmp_path: Path, full: bool, figure: Callable[[str], None]) -> None:
    """Nothing is cut on the way, and what the judge says of it is kept whole too."""
    size = 10_000_000 if full else 500_000
    unit = "long <|im_end|> é \u202e\0 text\n"
    text = unit * (size // len(unit))
    started = time.monotonic()
    echo = Echo()
    labels = solon.label(
        list(candidates_of([text])), ["Be good."], echo.labeler(), ledger=tmp_path / "ledger.sqlite", progress=False
    )
    seconds = time.monotonic() - started
    ((shown, _),) = echo.shown.values()
    assert shown == text
    assert [one.rationale for one in labels] == [f"I read «{text}»"] * 2
    pairs = solon.build(labels, held_out=0).preferences
    assert [pair.chosen for pair in pairs] == [text]
    figure(f"{len(text.encode()) / 1e6:.0f} MB whole, in {seconds:.0f} s")


def test_what_is_too_long_for_the_judge_is_a_failure_with_its_reason(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    """The judge is never shown the beginning alone."""
    given = ["short", "x" * 5_000, "y" * 900]
    echo = Echo(longest=2_000)
    labels = solon.label(
        list(candidates_of(given)),
        ["Be good."],
        echo.labeler(),
        ledger=tmp_path / "ledger.sqlite",
        max_failed=1.0,
        progress=False,
    )
    failed = [one.outcome for one in labels if isinstance(one.outcome, Failed)]
    assert [one.reason for one in failed] == ["too_long"] * 2
    assert all("characters do not fit" in (one.raw or "") for one in failed)
    assert sorted(text for text, _ in echo.shown.values()) == ["short", "y" * 900]
    figure(f"too long for the judge: {len(failed)} of {len(failed)} marked, 0 cut")
