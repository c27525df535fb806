"""How many prompts are at work at once."""

from solon.models.openai import OpenAI
from solon.models.scripted import Scripted
from solon.stream.window import MOST_IN_A_BATCH, window


def test_a_judge_by_batches_has_many_prompts_at_work_at_once():
    """Else each batch would hold a few dozen requests, and the stage would take days."""
    batched = OpenAI(model="gpt-4o-mini", batch=True)
    assert window(batched) == window(Scripted(default="x"), batched) == MOST_IN_A_BATCH == 20_000
    assert window(OpenAI(model="gpt-4o-mini")) < 1000
