"""What the page is told of an item, as JSON values: never more of the judge than this person has asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, assert_never

from solon.data.people import Act
from solon.data.records import Completion, Failed, Judgment, Revised, Scored
from solon.viewing.collections import Collection, Viewed, judges_of, principles_of, reasons_of, topics_of
from solon.viewing.verdicts import Verdicts

LONGEST = 100_000
"""Characters of one text that are sent: a page of more would stand still."""
_SNIPPET = 160
_MOST_TOPICS = 200


def about(run: Viewed, collection: Collection, verdicts: Verdicts) -> dict[str, Any]:
    """The run, what can be filtered by, and how far this person is."""
    drawn = collection.drawn[1] if collection.drawn is not None else None
    return {
        "name": run.name,
        "kinds": run.kinds(),
        "kind": collection.kind,
        "rates": collection.rates,
        "partial": collection.partial,
        "items": len(collection.index),
        "drawn": drawn.model_dump() if drawn is not None else None,
        "blind": run.blind,
        "annotator": run.annotator,
        "file": collection.file.name,
        "counts": verdicts.counts(),
        "scale": run.scale.model_dump(mode="json"),
        "principles": principles_of(collection.index),
        "judges": judges_of(collection.index),
        "topics": topics_of(collection.index, _MOST_TOPICS),
        "reasons": reasons_of(collection.index),
    }


def rows(collection: Collection, verdicts: Verdicts, places: Sequence[int]) -> list[dict[str, Any]]:
    """A row of the list each, in that order."""
    query = (
        "SELECT item.place, item.id, prompt.record, principles, lean, orders_differ, panel_differs, reasons,"
        " mine.said, coalesce(mine.revealed, 0) FROM item JOIN prompt ON prompt.place = item.prompt"
        " LEFT JOIN mine ON mine.item = item.id WHERE item.place IN (SELECT value FROM json_each(?))"
    )
    told = {}
    for place, _, prompt, principles, lean, orders, panel, reasons, said, shown in collection.index.connection.execute(
        query, (json.dumps(list(places)),)
    ):
        record = json.loads(prompt)
        row = {
            "place": place,
            "prompt": " ".join(record["messages"][-1]["content"][: 4 * _SNIPPET].split())[:_SNIPPET],
            "principles": json.loads(principles),
            "topic": record["topic"],
            "said": said or "",
        }
        if shown or not verdicts.blind:
            row["judge"] = {
                "lean": lean,
                "orders": bool(orders),
                "panel": bool(panel),
                "reasons": [reason for reason in (reasons or "").split(",") if reason],
            }
        told[place] = row
    return [told[place] for place in places if place in told]


def item(collection: Collection, verdicts: Verdicts, place: int) -> dict[str, Any]:
    """All of an item.

    Raises:
        KeyError: there is none at that place.
    """
    index = collection.index
    found = index.item(place)
    prompt = index.prompt(found.prompt)
    order = verdicts.order(found)
    known = collection.run.principles
    standing = verdicts.standing(found.id)
    shown = verdicts.revealed(found.id)
    told: dict[str, Any] = {
        "place": place,
        "id": found.id,
        "messages": [{"role": one.role, **_cut(one.content)} for one in prompt.messages],
        "topic": prompt.topic,
        "reference": prompt.reference if shown else None,
        "principles": [
            {
                "id": name,
                "text": known[name].text if name in known else "(no longer in the constitution)",
                "hard": name in known and known[name].severity == "hard",
            }
            for name in found.principles
        ],
        "options": [_option(index.completion(name), shown=shown) for name in order],
        "mine": _mine(standing),
        "revealed": shown,
        "counts": verdicts.counts(),
    }
    if not shown:
        return told
    if collection.kind == "answers":
        measured = list(index.measured(place))
        turned = order != found.options
        told["answers"] = ["after", "before"] if turned else ["before", "after"]
        told["measured"] = [{**one, "turned": turned} for one in measured]
    else:
        lean = index.lean(place)
        told["lean"] = lean if lean is None or order == found.options else -lean
        told["judgments"] = [_judgment(one, order, collection) for one in index.judgments(place)]
    return told


def _mine(act: Act | None) -> dict[str, Any] | None:
    return None if act is None else {"said": act.said, "score": act.score, "note": act.note, "blind": act.blind}


def _cut(text: str) -> dict[str, Any]:
    return {"text": text[:LONGEST], "more": max(0, len(text) - LONGEST)}


def _option(completion: Completion, *, shown: bool) -> dict[str, Any]:
    told = {**_cut(completion.text), "stop": completion.stop}
    # whose it is tells as much as the verdict where one of them is the trained model's
    return {**told, "model": completion.model} if shown else told


def _judgment(judgment: Judgment, order: Sequence[str], collection: Collection) -> dict[str, Any]:
    """One judgment, its options by their letters on the page: A is shown first, and ``?`` is not shown."""
    letters = {name: "AB"[place] for place, name in enumerate(order)}
    told: dict[str, Any] = {
        "labeler": judgment.labeler,
        "order": [letters.get(name, "?") for name in judgment.options],
        "rationale": judgment.rationale,
        "usd": judgment.cost_usd,
        "tokens": judgment.usage.input_tokens + judgment.usage.output_tokens,
        "votes": [_judgment(vote, order, collection) for vote in judgment.votes],
    }
    outcome = judgment.outcome
    match outcome:
        case Scored(scores=scores, probability=probability, scale=scale):
            told |= {"scores": scores, "probability": probability, "scale": scale}
            if len(judgment.options) > 2:
                told["ranking"] = _ranking(judgment, scores, letters, collection)
        case Failed(reason=reason, raw=raw):
            told |= {"failed": reason, "raw": (raw or "")[:LONGEST]}
        case Revised(rounds=rounds):
            told["rounds"] = [one.model_dump(mode="json") for one in rounds]
            told["order"] = [letters.get(judgment.options[0], "?"), letters.get(outcome.completion.id, "?")]
        case _:
            assert_never(outcome)
    return told


def _ranking(
    judgment: Judgment, scores: Sequence[float], letters: dict[str, str], collection: Collection
) -> list[dict[str, Any]]:
    """All that were ranked, the best first."""
    ranked = sorted(zip(judgment.options, scores, strict=False), key=lambda each: -each[1])
    return [
        {"letter": letters.get(name, ""), "score": score, **_cut(collection.index.completion(name).text)}
        for name, score in ranked
        if collection.index.knows(name)
    ]
