"""No step of PPO makes the scores of batch x time x vocabulary: they exist a few tokens at a time."""

import pytest

from tiny_ppo import EPISODES, NETWORKS, OWN, SCORES, SMALL, actor, made, settings

torch = pytest.importorskip("torch")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402 - torch may be missing

from solon.trainers.backend.ppo.experience import Experience  # noqa: E402
from solon.trainers.backend.ppo.update import gradients, value_gradients  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # what torch and PEFT warn of is theirs
VOCABULARY, AT_ONCE = 261, 700  # so 2 tokens at a time, of 10 in all


class Scores(TorchDispatchMode):
    """Sees every tensor that an operation makes; keeps the sizes of those that are scores of tokens."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        """Runs it, and looks at what comes out; weights are (width, vocabulary) at most."""
        found = function(*arguments, **(options or {}))
        for each in found if isinstance(found, list | tuple) else [found]:
            if isinstance(each, torch.Tensor) and each.dim() > 1 and each.shape[-1] == VOCABULARY:
                self.sizes += [] if each.shape == (32, VOCABULARY) else [each.numel()]
        return found


@pytest.mark.parametrize("network", NETWORKS[:2])
def test_scores_of_all_tokens_never_exist(network, tmp_path):
    """Neither when a round is read, policy and reference, nor when it is learned from; in one part, all of them do."""

    def largest(at_once):
        learner = actor(made(tmp_path / str(at_once), network), SMALL, value_lora=OWN, scores_at_once=at_once)
        chosen = settings(batch_size=3, gradient_accumulation=1, entropy_weight=0.1)
        with Scores() as reading:
            experience = Experience.of(learner, EPISODES, SCORES, chosen, 0.1)
        with Scores() as learning:
            gradients(learner, experience, range(3), chosen)
            value_gradients(learner, experience, range(3), chosen)
        return max(reading.sizes), max(learning.sizes)

    tokens = sum(map(len, EPISODES.responses))
    assert largest(2**24) == (tokens * VOCABULARY,) * 2
    assert largest(AT_ONCE) == (2 * VOCABULARY,) * 2
