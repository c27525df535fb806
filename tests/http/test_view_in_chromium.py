"""`solon view` in a real browser: keys, filters, differences, a hundred thousand judgments, and nothing that runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from chromium import Tab, chromium, needed
from payloads import PAYLOADS
from solon.data.people import read_acts
from solon.data.records import Completion, Constitution, Failed, Message, Principle, Prompt, Scored
from solon.viewing.told import LONGEST
from viewed import (
    Candidates,
    both_orders,
    candidates,
    critique_run,
    large_run,
    question,
    ranking_run,
    rating_run,
    scored,
    served,
    small_run,
    write_run,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), needed]

KEYS = {"Enter": 13, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38, "Tab": 9, "?": 191, "/": 191}


async def until(asked: Callable[[], Awaitable[Any]], wanted: Any = True) -> Any:
    """Waits for the page to say something; fails with what it said last."""
    found = None
    for _ in range(2400):  # two minutes, of which a busy machine may need one
        found = await asked()
        if found == wanted:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"{found!r} and not {wanted!r}")


async def text(tab: Tab, selector: str) -> str:
    """What a part of the page says; empty where there is no such part."""
    return str(await tab.evaluate(f"document.querySelector({json.dumps(selector)})?.textContent ?? ''"))


async def says(tab: Tab, selector: str, wanted: str) -> None:
    """Waits until a part of the page holds a text."""
    await until(
        lambda: tab.evaluate(
            f"(document.querySelector({json.dumps(selector)})?.textContent ?? '').includes({json.dumps(wanted)})"
        )
    )


async def press(tab: Tab, *keys: str) -> None:
    """Keys, one after the other."""
    for key in keys:
        await tab.press(key, KEYS.get(key, ord(key.upper()[0])))


async def choose(tab: Tab, name: str, value: str) -> None:
    """Picks an entry of a filter, or types into it."""
    await tab.evaluate(
        f"(() => {{ const found = document.querySelector('#filters [name={name}]'); found.value = {json.dumps(value)};"
        "found.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )


async def opened(tab: Tab, address: str, questions: str) -> None:
    """Opens a view and waits for its first question."""
    await tab.open(address)
    await says(tab, "#found", questions)
    await until(lambda: tab.evaluate("document.querySelectorAll('#item .text').length > 0"))


async def test_ten_labels_are_judged_without_a_mouse_and_blind(tmp_path: Path) -> None:
    """A key a verdict, the judge's hidden until Enter, undo takes back, a note goes along; and all is in the file."""
    run = small_run(tmp_path / "run")
    async with served(run) as (_, address), chromium() as tab:
        await tab.window(1280, 900)
        await opened(tab, address, "6 questions")
        assert await text(tab, "#judge") == ""
        assert "hidden" in await text(tab, "#item .hidden")
        await press(tab, "1")
        await says(tab, "#mine", "A is better, before the judge's was shown")
        assert await text(tab, "#judge") == ""
        await press(tab, "Enter")
        await says(tab, "#judge", "pairwise:judge")
        await press(tab, "2")
        await says(tab, "#mine", "B is better, after the judge's was shown")
        assert await text(tab, "[aria-selected=true] .said") == "2"
        await press(tab, "j")
        await says(tab, "#item .prompt", "Question 1")
        await press(tab, "n")
        await tab.call("Input.insertText", text="hard one")
        await press(tab, "Escape", "t")
        await says(tab, "#mine", "tie")
        await press(tab, "ArrowDown")
        await says(tab, "#item .prompt", "Question 2")
        await press(tab, "x")
        await says(tab, "#mine", "both bad")
        await press(tab, "u")
        await until(lambda: text(tab, "#mine"), "")
        await press(tab, "s")
        await says(tab, "#item .prompt", "Question 3")
        await press(tab, "f")
        await says(tab, "#mine", "cannot say")
        await press(tab, "k", "?")
        await until(lambda: tab.evaluate("document.querySelector('#keys').open"))
        await press(tab, "Escape")
        await until(lambda: tab.evaluate("!document.querySelector('#keys').open"))
        assert "2 verdicts" in await text(tab, "#told")
        assert tab.told == []
        assert tab.dialogs == []
    acts = list(read_acts(run / "human.jsonl"))
    assert [act.said for act in acts] == [
        "first", "reveal", "second", "tie", "both_bad", "undo", "skip", "cannot_say",
    ]  # fmt: skip
    assert [act.blind for act in acts] == [True, True, False, True, True, True, True, True]
    assert acts[3].note == "hard one"


async def test_what_is_drawn_again_stays_as_it_was_left(tmp_path: Path) -> None:
    """The note that is being written, the button that has the focus, and where a long question was read."""
    long = candidates(0, ("word " * 8000, "word " * 8000 + "more"))
    run = write_run(tmp_path / "run", [long, candidates(1, ("a", "b"))], both_orders(long, 1, 1))
    async with served(run) as (_, address), chromium() as tab:
        await tab.window(1280, 700)
        await opened(tab, address, "1 question")
        await tab.evaluate("document.querySelector('#note').value = 'half a note'")
        await tab.evaluate("document.querySelector('#item').scrollTop = 500")
        await tab.evaluate("document.querySelector('[data-say=tie]').focus({preventScroll: true})")
        await press(tab, "1")
        await says(tab, "#mine", "A is better")
        assert await tab.evaluate("document.querySelector('#note').value") == "half a note"
        assert await tab.evaluate("document.activeElement.dataset.say") == "tie"
        assert await tab.evaluate("document.querySelector('#item').scrollTop") == 500
        await tab.evaluate("document.activeElement.click()")
        await says(tab, "#mine", "tie")
    assert [(act.said, act.note) for act in read_acts(run / "human.jsonl")] == [
        ("first", "half a note"), ("tie", "half a note"),
    ]  # fmt: skip


async def write_note(tab: Tab, note: str) -> None:
    """Types a note from the keyboard, and leaves it."""
    await press(tab, "n")
    await until(lambda: tab.evaluate("document.activeElement.id"), "note")
    await tab.call("Input.insertText", text=note)
    await press(tab, "Escape")


async def test_a_note_that_was_typed_is_there_when_one_comes_back(tmp_path: Path) -> None:
    """Whatever one did in between: went on, filtered, read again; and after the verdict with it was taken back."""
    run = small_run(tmp_path / "run")
    note = "document.querySelector('#note').value"
    async with served(run) as (_, address), chromium() as tab:
        await opened(tab, address, "6 questions")
        await write_note(tab, "half a thought")
        await press(tab, "j")
        await says(tab, "#item .prompt", "Question 1")
        assert await tab.evaluate(note) == ""
        await write_note(tab, "another")
        await press(tab, "k")
        await says(tab, "#item .prompt", "Question 0")
        assert await tab.evaluate(note) == "half a thought"
        await choose(tab, "state", "orders")
        await says(tab, "#item .prompt", "Question 3")
        assert await tab.evaluate(note) == ""
        await choose(tab, "state", "all")
        await says(tab, "#item .prompt", "Question 0")
        assert await tab.evaluate(note) == "half a thought"
        await press(tab, "r")
        await says(tab, "#toast", "Read again")
        assert await tab.evaluate(note) == "half a thought"
        await press(tab, "1")
        await says(tab, "#mine", "A is better")
        await press(tab, "j")
        await says(tab, "#item .prompt", "Question 1")
        assert await tab.evaluate(note) == "another"
        await press(tab, "u")
        await says(tab, "#item .prompt", "Question 0")
        assert await tab.evaluate(note) == "half a thought"
        await press(tab, "2")
        await says(tab, "#mine", "B is better")
        assert tab.told == []
    assert [(act.said, act.note) for act in read_acts(run / "human.jsonl")] == [
        ("first", "half a thought"), ("undo", ""), ("second", "half a thought"),
    ]  # fmt: skip


async def test_what_is_chosen_from_a_sample_and_what_is_said_before_a_run_is_done_count_as_chosen(
    tmp_path: Path,
) -> None:
    """And the page says so, each time before somebody judges."""
    run = small_run(tmp_path / "run")
    partial = run / ".judgments.jsonl.partial"
    (run / "judgments.jsonl").rename(partial)
    async with served(run, sample=6) as (_, address), chromium() as tab:
        await opened(tab, address, "6 questions, of 6 drawn at random from 6 (seed 0)")
        await says(tab, "#found", "still at work: what you say counts as chosen, not drawn, until")
        await press(tab, "1")
        await says(tab, "#mine", "A is better")
        partial.rename(run / "judgments.jsonl")
        await press(tab, "r")
        await says(tab, "#toast", "Read again")
        await until(lambda: text(tab, "#found"), "6 questions, of 6 drawn at random from 6 (seed 0)")
        await press(tab, "2")
        await says(tab, "#mine", "B is better")
        await choose(tab, "state", "orders")
        await says(tab, "#found", "by a filter or an order, so what you say of them counts as chosen, not drawn")
        await says(tab, "#item .prompt", "Question 3")
        await press(tab, "1")
        await says(tab, "#mine", "A is better")
        await choose(tab, "state", "todo")
        await says(tab, "#found", "4 questions, of 6")
        await until(lambda: tab.evaluate("document.querySelectorAll('#item .text').length > 0"))
        await press(tab, "1")
        await says(tab, "#mine", "A is better")
        assert tab.told == []
    acts = list(read_acts(run / "human.jsonl"))
    assert [act.drawn is not None for act in acts] == [False, True, False, True]


async def test_answers_before_and_after_are_judged_without_being_told_whose_they_are(tmp_path: Path) -> None:
    """The other file of verdicts, and the way there and back."""
    run, one = small_run(tmp_path / "run"), candidates(0, ("untrained words", "trained words"))
    answers = dict(zip(("before", "after"), (each.model_dump(mode="json") for each in one.completions), strict=True))
    sample = {"prompt": one.prompt.model_dump(mode="json"), **answers, "changes": {"compliance": [False, True]}}
    (run / "evaluation").mkdir()
    (run / "evaluation" / "samples.jsonl").write_text(json.dumps(sample) + "\n")
    async with served(run) as (_, address), chromium() as tab:
        await opened(tab, address, "6 questions")
        await tab.evaluate("document.querySelectorAll('#kinds button')[1].click()")
        await says(tab, "#item .options", "untrained words")
        assert "training" not in await text(tab, "#item")
        await press(tab, "1", "Enter")
        await says(tab, "#mine", "before you were told whose they are")
        await says(tab, "#judge", "compliance")
        assert "before training" in await text(tab, "#item .options")
        await tab.evaluate("document.querySelectorAll('#kinds button')[0].click()")
        await says(tab, "#found", "6 questions")
        assert tab.told == []
    assert [act.said for act in read_acts(run / "human_answers.jsonl")] == ["first", "reveal"]
    assert not (run / "human.jsonl").exists()


async def test_filters_search_and_differences(tmp_path: Path) -> None:
    """Each filter leaves what it says, in both colour schemes nothing is wider than a phone, and words are marked."""
    async with served(small_run(tmp_path / "run")) as (_, address), chromium() as tab:
        await opened(tab, address, "6 questions")
        for name, value, questions in (
            ("state", "orders", "1 question"), ("state", "panel", "1 question"), ("state", "failed", "1 question"),
            ("state", "todo", "6 questions"), ("state", "done", "0 questions"), ("state", "all", "6 questions"),
            ("judge", "bob's model", "1 question"), ("judge", "", "6 questions"),
            ("reason", "refused", "1 question"), ("reason", "", "6 questions"),
            ("low", "0.8", "2 questions"), ("low", "0", "6 questions"),
            ("search", "BLUE answer 4", "1 question"), ("search", "because of the order", "0 questions"),
            ("search", "", "6 questions"),
        ):  # fmt: skip
            await choose(tab, name, value)
            await until(lambda: text(tab, "#found"), questions)
        marks = "[...document.querySelectorAll('#item mark')].map(each => each.textContent).sort()"
        await until(lambda: tab.evaluate(marks), ["blue", "red"])
        for scheme in ("light", "dark"):
            await tab.window(420, 800, prefers_color_scheme=scheme)
            assert await tab.evaluate("document.documentElement.scrollWidth") == 420
        assert tab.told == []


@pytest.mark.parametrize(
    ("first", "second", "marks"),
    [
        ("a b c", "a x c", [["b"], ["x"]]),
        ("", "new", [[], ["new"]]),
        ("one two", "one two", [[], []]),
        ("x a b y", "a b", [["x ", " y"], []]),
        ("don't stop", "do stop", [["don't"], ["do"]]),
    ],
)
async def test_words_that_differ_are_marked(tmp_path: Path, first: str, second: str, marks: list[list[str]]) -> None:
    """By hand: what one has and the other has not."""
    async with served(small_run(tmp_path / "run")) as (_, address), chromium() as tab:
        await opened(tab, address, "6 questions")
        found = await tab.evaluate(
            "import('/diff.js').then(({difference}) => {"
            f"const found = difference({json.dumps(first)}, {json.dumps(second)});"
            "return [found.first, found.second].map(runs => runs.filter(run => !run.same).map(run => run.text)); })"
        )
    assert found == marks


async def test_differences_put_together_are_the_texts_however_long(tmp_path: Path) -> None:
    """100 seeded pairs of up to 300 words; a million characters with nothing in common are not compared for ever."""
    async with served(small_run(tmp_path / "run")) as (_, address), chromium() as tab:
        await opened(tab, address, "6 questions")
        wrong = await tab.evaluate(
            """import('/diff.js').then(({difference, words}) => {
              let seed = 1;
              const draw = (most) => (seed = (seed * 48271) % 2147483647) % most;
              const make = () => Array.from({length: draw(300)}, () => "ab c\\n,"[draw(6)] + "xy"[draw(2)]).join("");
              const longest = (a, b) => { // length of the longest common subsequence, the plain way
                let row = new Array(b.length + 1).fill(0);
                for (const word of a) {
                  const next = [0];
                  b.forEach((other, at) => next.push(word === other ? row[at] + 1 : Math.max(row[at + 1], next[at])));
                  row = next;
                }
                return row[b.length];
              };
              const wrong = [];
              for (let round = 0; round < 100; round++) {
                const a = make(), b = make(), found = difference(a, b);
                const put = (runs) => runs.map((run) => run.text).join("");
                const same = (runs) => runs.filter((run) => run.same).map((run) => run.text).join("");
                const kept = words(same(found.first));
                if (put(found.first) !== a || put(found.second) !== b) wrong.push([a, b]);
                if (same(found.first) !== same(found.second)) wrong.push([a, b]);
                if (!found.whole && found.first.filter((run) => run.same).flatMap((run) => words(run.text)).length
                    > longest(words(a), words(b))) wrong.push(kept);
              }
              const far = difference("a b ".repeat(250000), "c d ".repeat(250000));
              return [wrong, far.whole];
            })"""
        )
    assert wrong == [[], True]


async def test_a_rating_run_takes_scores_and_each_other_kind_shows_itself(tmp_path: Path) -> None:
    """Digits are scores on the scale; a ranking shows its order, a revision its critique, a panel every vote."""
    run = rating_run(tmp_path / "rating")
    async with chromium() as tab:
        async with served(run) as (_, address):
            await opened(tab, address, "3 questions")
            await press(tab, "9")  # is off the scale
            await press(tab, "4", "Enter")
            await says(tab, "#mine", "a score of 4 from 1 to 5")
            await says(tab, "#judge", "Score 1.00 on the scale from 1 to 5")
        async with served(ranking_run(tmp_path / "ranking")) as (_, address):
            await opened(tab, address, "3 questions")
            await press(tab, "Enter")
            await says(tab, "#judge", "best")
            ranked = await tab.evaluate(
                "[...document.querySelectorAll('.ranking li')].map(each => each.textContent.split(' ').at(-1))"
            )
            assert ranked == ["best", "good", "worst"]
        async with served(critique_run(tmp_path / "critique")) as (_, address):
            await opened(tab, address, "1 question")
            await press(tab, "Enter")
            await says(tab, "#judge", "It is rude.")
        async with served(small_run(tmp_path / "panel")) as (_, address):
            await opened(tab, address, "6 questions")
            await choose(tab, "state", "panel")
            await until(lambda: text(tab, "#found"), "1 question")
            assert await text(tab, ".row b") == ""
            await until(lambda: tab.evaluate("document.querySelectorAll('#item .option').length"), 2)
            await press(tab, "Enter")
            await until(lambda: text(tab, ".row b"), "panel disagrees")
            await says(tab, "#judge", "bob's model")
            assert "ann's model" in await text(tab, "#judge")
        assert tab.told == []
    assert [(act.said, act.score) for act in read_acts(run / "human.jsonl")] == [("score", 4), ("reveal", None)]


@pytest.mark.reliability("pages")
async def test_nothing_that_anybody_wrote_runs(tmp_path: Path, figure: Callable[[str], None]) -> None:
    """Every payload in every field that others may write: nothing runs, nothing is asked of another server."""
    given, judgments = [], []
    for payload in PAYLOADS:
        prompt = Prompt(
            messages=(Message(role="system", content=payload), Message(role="user", content=payload)), topic=payload
        )
        one = Candidates(
            prompt=prompt,
            completions=tuple(Completion(text=f"{payload}{side}", model=payload, seed=side) for side in (0, 1)),
        )
        given.append(one)
        asked = question(one, 0, 1)
        vote = asked.judged(Scored(scores=(1.0, 0.0)), labeler=f"{payload} voter", rationale=payload)
        judgments.append(asked.judged(Scored(scores=(1.0, 0.0)), labeler=payload, rationale=payload, votes=(vote,)))
        failed = Failed(reason="unparseable", raw=payload)
        judgments.append(asked.reversed().judged(failed, labeler=payload))
    constitution = Constitution(name=PAYLOADS[0], principles=(Principle(id="kind", text=" ".join(PAYLOADS)),))
    run = write_run(tmp_path / "run", given, judgments, constitution)
    state = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(state | {"name": PAYLOADS[2]}))
    async with served(run, annotator=PAYLOADS[0]) as (_, address), chromium() as tab:
        await opened(tab, address, f"{len(PAYLOADS)} questions")
        for number, payload in enumerate(PAYLOADS):
            await says(tab, "#item .prompt", payload)
            await tab.evaluate(f"document.querySelector('#note').value = {json.dumps(payload)}")
            await press(tab, "1", "Enter")
            await says(tab, "#judge", payload)
            if number + 1 < len(PAYLOADS):
                await press(tab, "j")
        await choose(tab, "search", "<script>")
        await until(lambda: tab.evaluate("document.querySelector('#found').textContent.startsWith('20') === false"))
        ours = address.partition("/?")[0]
        figure(f"{len(PAYLOADS)} in every text of a view: {len(tab.dialogs)} ran")
        assert [each for each in tab.requests if not each.startswith(ours)] == []
        assert tab.dialogs == []
        assert tab.told == []
        assert (
            await tab.evaluate(
                "document.querySelectorAll('#item script, #item img, #item iframe, #item a, [onload]').length"
            )
            == 0
        )
    assert len([act for act in read_acts(run / "human.jsonl") if act.said == "first"]) == len(PAYLOADS)


async def test_texts_without_end_and_characters_that_cannot_be_seen(tmp_path: Path) -> None:
    """A megabyte is cut with a note; what cannot be seen is spelled out on the page, and kept as it is in the file."""
    odd = Candidates(
        prompt=Prompt.of("What?"),
        completions=(
            Completion(text="word " * 200_000, model="m", seed=0),
            Completion(text="turned \u202e half \ud83d end \x1b[31m", model="m", seed=1),
        ),
    )
    run = write_run(tmp_path / "run", [odd], [scored(question(odd, 0, 1), 1.0)])
    async with served(run) as (_, address), chromium() as tab:
        await opened(tab, address, "1 question")
        await says(tab, "#item .options", f"{1_000_000 - LONGEST:,} more characters")
        for spelled in ("⟨U+202E⟩", "⟨U+D83D⟩", "⟨U+001B⟩"):
            await says(tab, "#item .options", spelled)
        await press(tab, "1")
        await says(tab, "#mine", "A is better")
        assert tab.told == []
    row = json.loads((run / "human.jsonl").read_text("utf-8"))
    assert {row["response_a"], row["response_b"]} == {one.text for one in odd.completions}


async def test_a_hundred_thousand_judgments_are_scrolled_in_few_elements(tmp_path: Path) -> None:
    """However far, the page has some 40 rows and a few megabytes; the last question is reached, a verdict kept."""
    run = large_run(tmp_path / "run", 100_000)
    async with served(run) as (_, address), chromium() as tab:
        await tab.window(1280, 900)
        await opened(tab, address, "50,000 questions")
        await tab.call("HeapProfiler.collectGarbage")
        before = await tab.evaluate("performance.memory.usedJSHeapSize")
        for step in range(1, 51):
            await tab.evaluate(
                "document.querySelector('#list').scrollTop ="
                f"{step} / 50 * document.querySelector('#sizer').clientHeight"
            )
            await until(
                lambda: tab.evaluate(
                    "[...document.querySelectorAll('.row:not([hidden]) .snippet')]"
                    ".every(each => each.textContent !== '…')"
                )
            )
            assert await tab.evaluate("document.querySelectorAll('.row').length") <= 40
        await says(tab, "#list", "50,000")
        await tab.call("HeapProfiler.collectGarbage")
        assert await tab.evaluate("performance.memory.usedJSHeapSize") - before < 20e6
        assert await tab.evaluate("document.querySelectorAll('*').length") < 600
        await choose(tab, "state", "orders")
        await says(tab, "#found", "2,500 questions")
        await choose(tab, "state", "all")
        await choose(tab, "principle", "true")
        await says(tab, "#found", "25,000 questions")
        await until(lambda: tab.evaluate("document.querySelectorAll('#item .option').length"), 2)
        await press(tab, "1")
        await says(tab, "#mine", "A is better")
        assert tab.told == []
    assert [act.about.principles for act in read_acts(run / "human.jsonl")] == [("true",)]
