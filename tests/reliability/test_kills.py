"""``kill -9`` at drawn points of each stage but training: nothing is lost, and nothing recorded is asked for again.

``killing.py`` says what a point is. Servers stand in this process, which nobody kills.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from killing import Killer, Killing, solon
from paid_once import Paid
from project import CONSTITUTION, Project, jsonl
from solon.testing.judge_server import JudgeServer
from solon.testing.tiny import tiny_llama

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
AT_ONCE = 8
LATENCY_S = 0.03
PRICED = "price: {input: 1, output: 5}"
PROVIDERS = ("openai", "anthropic") if os.environ.get("SOLON_FULL") == "1" else ("openai",)

Figure = Callable[[str], None]


def template(folder: Path, recipe: str, **files: str) -> Project:
    """A project with a recipe; the names of its files are those of the arguments, ``__`` for the point."""
    made = Project(folder / "template")
    made.folder.mkdir(parents=True)
    made.write("constitution.yaml", CONSTITUTION)
    made.write("recipe.yaml", f"name: killed\nconstitution: constitution.yaml\nmax_usd: 50\n{recipe}")
    for name, text in files.items():
        made.write(name.replace("__", "."), text)
    return made


def prompts(count: int) -> str:
    return jsonl([{"prompt": f"What is {n} + {n}?"} for n in range(count)])


def candidates(count: int) -> str:
    rows: list[dict[str, object]] = [
        {"prompt": f"What is {n} + {n}?", "responses": [f"{2 * n}", f"It is {2 * n}"]} for n in range(count)
    ]
    return jsonl(rows)


def endpoint(server: JudgeServer, name: str = "served") -> str:
    return f"{{kind: endpoint, base_url: {server.base_url}, model: {name}, concurrency: {AT_ONCE}, {PRICED}}}"


@pytest.mark.reliability("kill-sample")
async def test_sampling_that_is_killed_loses_no_completion_and_asks_for_none_twice(
    full: bool, figure: Figure, tmp_path: Path
) -> None:
    """Through an endpoint with eight calls at once, each priced."""
    async with JudgeServer(latency_s=LATENCY_S) as server:
        recipe = f"prompts: prompts.jsonl\nsample: {{n: 4, max_tokens: 20, model: {endpoint(server)}}}\n"
        recipe += "label: {kind: rules, rules: {brief: {length: words, max: 1}}}\n"
        made = template(tmp_path, recipe, prompts__jsonl=prompts(100 if full else 30))
        paid = Paid(server, AT_ONCE, tmp_path / "copy")
        stage = Killing(Killer(tmp_path / "killer"), made.folder, solon("sample", "recipe.yaml"), paid.look)
        await stage.undisturbed()
        await stage.kill(50 if full else 1, seed="sample", alone=15 if full else 0, in_a_row=7)
    figure(f"{stage.kills} kills: {paid.said()}; {stage.files} files the same {stage.ends} times")


@pytest.mark.reliability("kill-label")
async def test_labeling_that_is_killed_loses_no_reply_and_asks_for_none_twice(
    full: bool, figure: Figure, tmp_path: Path
) -> None:
    """A judge that is shown each pair in both orders, behind an endpoint with eight calls at once, each priced."""
    async with JudgeServer(latency_s=LATENCY_S) as server:
        recipe = f"candidates: candidates.jsonl\nlabel: {{kind: pairwise, judge: {endpoint(server)}}}\n"
        made = template(tmp_path, recipe, candidates__jsonl=candidates(200 if full else 40))
        paid = Paid(server, AT_ONCE, tmp_path / "copy")
        stage = Killing(Killer(tmp_path / "killer"), made.folder, solon("label", "recipe.yaml"), paid.look)
        await stage.undisturbed()
        await stage.kill(50 if full else 2, seed="label", alone=15 if full else 0, in_a_row=7)
    figure(f"{stage.kills} kills: {paid.said()}; {stage.files} files the same {stage.ends} times")


AT_A_FASTER_PACE = """\
import sys
from solon.cli.app import main
from solon.stream import Pace, Stream
Stream.__init__.__kwdefaults__["pace"] = Pace(first_s=0.02, factor=1.5, longest_s=0.1, settle_s=0.3)
main()
"""
"""``solon``, which looks after a batch every 0.02 to 0.1 s in place of every 1 to 60 s."""


@pytest.mark.reliability("kill-batch")
@pytest.mark.parametrize("kind", PROVIDERS)
async def test_polling_that_is_killed_sends_no_batch_and_no_request_twice(
    kind: str, full: bool, figure: Figure, tmp_path: Path
) -> None:
    """From the gathering of its requests to the last of its results; the batch has ended at the sixth look."""
    sent: list[tuple[int, int]] = []
    async with JudgeServer(polls=6) as server:
        came: Counter[str] = Counter()
        begun = 0

        async def look(project: Project, ended: bool) -> None:
            nonlocal came, begun
            if ended:
                now = server.came - came
                assert max(now.values()) == 1
                assert len(server.batches) == begun + 1
                sent.append((now.total(), len(server.batches) - begun))
                came, begun = server.came.copy(), len(server.batches)
                server.batches.clear()
                begun = 0

        price = "price: {input: 1, output: 5, batch: 0.5}"
        # which request was the first that a prompt cache had not seen is no business of ours here
        at = f"{server.base_url}" if kind == "openai" else f"{server.root}, cache: false"
        judge = f"{{kind: {kind}, base_url: {at}, model: served, api_key_env: null, batch: true, {price}}}"
        recipe = f"candidates: candidates.jsonl\nlabel: {{kind: pairwise, judge: {judge}}}\n"
        made = template(tmp_path, recipe, candidates__jsonl=candidates(300 if full else 30))
        command = [sys.executable, "-P", "-c", AT_A_FASTER_PACE, "label", "recipe.yaml", "--quiet"]
        stage = Killing(Killer(tmp_path / "killer"), made.folder, command, look)
        await stage.undisturbed()
        await stage.kill(25 if full else 1, seed=f"batch {kind}", alone=10 if full else 0, in_a_row=5)
    requests, batches = (sum(numbers) for numbers in zip(*sent[1:], strict=True))
    figure(
        f"{kind}: {stage.kills} kills: 0 of {requests:,} requests in {batches} batches sent again; {stage.files} files "
        f"the same {stage.ends} times"
    )


@pytest.mark.reliability("kill-build")
async def test_building_that_is_killed_gives_the_same_datasets(full: bool, figure: Figure, tmp_path: Path) -> None:
    """Of judgments by rules; half a dataset is never one."""
    recipe = "candidates: candidates.jsonl\nlabel: {kind: rules, rules: {brief: {length: words, max: 1}}}\n"
    made = template(tmp_path, recipe, candidates__jsonl=candidates(2000 if full else 100))
    assert made.solon("label", "recipe.yaml")[0] == 0
    stage = Killing(Killer(tmp_path / "killer"), made.folder, solon("build", "recipe.yaml"))
    await stage.undisturbed()
    await stage.kill(50 if full else 2, seed="build", alone=25 if full else 0, in_a_row=5)
    judgments = len((made.folder / "runs" / "killed" / "judgments.jsonl").read_text("utf-8").splitlines())
    figure(f"{stage.kills} kills over {judgments:,} judgments: {stage.files} files the same {stage.ends} times")


COPIED = '''
import shutil
from pathlib import Path
from typing import ClassVar
from solon.plugins import Checkpoint, Job, Preference, Record, Trainer, read_rows

class Copied(Trainer):
    """Gives a model that was made before."""
    kind: ClassVar[str] = "copied"
    consumes: ClassVar[type[Record]] = Preference

    def train(self, job: Job) -> Checkpoint:
        rows = read_rows(job.dataset, self.consumes, trainer=self.kind)
        job.report(1, 1, {"loss": 1.0})
        for file in Path(job.policy.model).with_name("trained").iterdir():
            shutil.copy(file, job.out)
        return Checkpoint(path=".", base_model="policy", form="full", trainer=self.kind, dataset=rows.id)
'''


@pytest.mark.reliability("kill-evaluate")
async def test_evaluation_that_is_killed_loses_no_reply_and_asks_for_none_twice(
    full: bool, figure: Figure, tmp_path: Path
) -> None:
    """Two tiny models answer, and a judge behind an endpoint compares their answers."""
    if not full:
        pytest.skip("each kill costs an import of torch; tests/pipeline/test_kill.py has some of a whole run")
    async with JudgeServer(latency_s=LATENCY_S) as server:
        recipe = f"""\
candidates: candidates.jsonl
policy: {{model: policy, threads: 1}}
allow_import: true
label: {{kind: rules, rules: {{brief: {{length: words, max: 1}}}}}}
train: {{kind: "copied:Copied"}}
evaluate:
  prompts: held_out.jsonl
  max_tokens: 6
  with: [{{kind: win_rate, judge: {{kind: pairwise, judge: {endpoint(server)}}}}}, length]
"""
        held_out = jsonl([{"prompt": f"How much is {n} and {n}?"} for n in range(100)])
        made = template(tmp_path, recipe, candidates__jsonl=candidates(10), held_out__jsonl=held_out, copied__py=COPIED)
        tiny_llama(made.folder / "policy", seed=1, context=64, spread=0.3)
        tiny_llama(made.folder / "trained", seed=2, context=64, spread=0.3)
        code, _, said = made.solon("train", "recipe.yaml")
        assert code == 0, said
        paid = Paid(server, AT_ONCE, tmp_path / "copy")
        stage = Killing(Killer(tmp_path / "killer"), made.folder, solon("evaluate", "recipe.yaml"), paid.look)
        await stage.undisturbed()
        await stage.kill(50, seed="evaluate", alone=5, in_a_row=9)
    figure(f"{stage.kills} kills: {paid.said()}; {stage.files} files the same {stage.ends} times")
