"""Texts that would run in a careless page, and a run that has one of them wherever somebody else may write."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from label_summaries import LISTED
from solon.data.records import Prompt
from solon.report.grades import write_form

PAYLOADS = (
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "<a href=javascript:alert(1)>x</a>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<body onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</pre></p></article><script>alert(1)</script>",
    "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<object data='data:text/html,<script>alert(1)</script>'></object>",
    "<form action=javascript:alert(1)><button>x</button></form>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<base href=//evil.example/>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "{{ 7*7 }}{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "<!--<script>-->&lt;script&gt;alert(1)&#x3c;/script&#x3e;<div style='background:url(//evil.example)'>",
)


def spoil(record: dict[str, Any], held_out: list[dict[str, Any]], payload: str) -> None:
    """Puts it into every text of ``run.json`` and of the samples: names, reasons, warnings, principles, answers."""
    for place, line in enumerate(held_out):
        line["prompt"]["messages"][0]["content"] += payload
        line["prompt"] |= {"topic": payload if place % 3 else "plain", "reference": payload}
        line["before"]["text"] = line["after"]["text"] = payload
        line["changes"][payload] = [True, False]
    record |= {"name": payload, "solon": payload, "versions": {payload: payload}}
    stages = record["stages"]
    stages["sample"]["summary"] |= {"model": payload, "missing": {payload: 1}}
    stages["label"]["summary"] |= {"labeler": payload, "failed": {payload: 1}, "votes": {payload: {"pairs": 9}}}
    stages["label"]["summary"] |= {"canaries": {payload: {"won": 9}, "all": {"won": 9}}}
    stages["label"]["summary"]["batches"] = [{"provider": payload, "id": payload}]
    stages["label"]["summary"]["models"] = [{**LISTED, "name": payload, "server": payload, "price_source": payload}]
    stages["build"]["summary"]["dropped"] = {"preference": {payload: 7}}
    stages["train"]["summary"]["trainer"] |= {"kind": payload, payload: payload}
    stages["train"]["summary"]["checkpoint"]["base_model"] = payload
    stages["evaluate"]["summary"]["warnings"] = [payload]
    stages["train"]["outputs"] = {payload: payload}
    principle = record["constitution"]["principles"][0]
    principle |= {"text": payload, "topics": [payload], "source": payload}
    record["constitution"] |= {"name": payload, "version": payload, "description": payload}


def spoil_files(run_dir: Path, held_out: list[dict[str, Any]], payload: str) -> None:
    """Puts it into the metrics of every item, and into answers side by side with a group and a note of somebody's."""
    names = {f"rating/{payload}": [0.25, 0.75], f"toxicity/{payload}": [0.5, 0.125], payload: [True, False]}
    rows = [{"item": Prompt.model_validate(line["prompt"]).id, "values": names} for line in held_out]
    (run_dir / "evaluation" / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    answers = {"group": payload, "prompt": payload, "before": payload, "after": payload}
    (run_dir / "evaluation" / "qualitative.jsonl").write_text(json.dumps(answers) + "\n")
    form = write_form(run_dir)
    assert form is not None
    with form.open(encoding="utf-8-sig", newline="") as file:
        graded = [row | {"grade_a": "3", "grade_b": "4", "note": payload} for row in csv.DictReader(file)]
    with form.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(graded[0]))
        writer.writeheader()
        writer.writerows(graded)
