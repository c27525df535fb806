"""Which prompts a round answers, how completions are written, and what leaves no room for one."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from solon.data.records import Task
from solon.errors import DataError, RecipeError
from solon.testing.tiny import tiny_llama, tiny_t5
from solon.trainers.dataset import read_rows
from solon.trainers.ppo import PPO

pytest.importorskip("torch")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and PEFT warn of is theirs
]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A Llama of random weights that reads up to 64 tokens."""
    return tiny_llama(tmp_path_factory.mktemp("base"), seed=1, context=64)


def test_every_prompt_is_answered_once_before_any_comes_again():
    """Five prompts, two a round: five rounds are two turns."""
    from solon.trainers.backend.ppo.rollout import Prompts

    prompts = Prompts([None] * 5, [None] * 5)
    places = [place for number in range(5) for place in prompts.of_round(number, 2, seed=3)]
    assert sorted(places[:5]) == sorted(places[5:]) == [0, 1, 2, 3, 4]
    assert places[:5] != places[5:]
    assert places != [place for number in range(5) for place in prompts.of_round(number, 2, seed=4)]


def test_an_encoder_decoders_context_is_that_of_prompt_and_completion_each(tmp_path):
    """Prompts of 15 and 16 tokens, their end among them, where 16 positions are learned: BART's kind of limit."""
    from solon.models.backend.loading import load
    from solon.trainers.backend.length import fitted
    from solon.trainers.backend.ppo.rollout import read_prompts

    pq.write_table(
        pa.Table.from_pylist([{"prompt": "Is 1 a number?"}, {"prompt": "Is 10 a number?"}]), tmp_path / "train.parquet"
    )
    rows = read_rows(tmp_path, Task, trainer="ppo")
    loaded = replace(load(str(tiny_t5(tmp_path / "t5")), threads=1), context=16)

    def read(**limits):
        return read_prompts(tmp_path, rows, loaded, **{"max_new_tokens": 16, "max_length": None, **limits})

    assert [len(tokens) for tokens in read().tokens] == [15, 16]
    with pytest.raises(RecipeError, match=r"completions of 17 tokens are longer than the model's context of 16 tokens"):
        read(max_new_tokens=17)
    with pytest.raises(RecipeError, match=r"completions of 16 tokens are longer than train\.max_length of 15 tokens"):
        read(max_length=15)

    def fit(**limits):
        settings = PPO(reward={"kind": "rules", "rules": {"any": {"pattern": ".*"}}}, max_new_tokens=15, **limits)
        return fitted(settings, rows, loaded, tmp_path)[0].train.num_rows

    assert fit() == fit(max_length=16) == 2
    with pytest.raises(DataError, match=r"1 of 2 prompts are longer than train\.max_length of 15 .* has 16"):
        fit(max_length=15)
    assert fit(max_length=15, too_long="leave_out") == 1
    loaded = replace(loaded, context=15)
    with pytest.raises(DataError, match="1 of 2 prompts are longer than the model's context of 15 tokens"):
        fit()


def test_a_model_with_kernels_of_its_own_writes_by_itself(base):
    """As Unsloth's does, which has a mode for it: greedy in all but name, it writes what is written of others."""
    from solon.models.backend.generation import Ask, write
    from solon.models.backend.loading import load
    from solon.trainers.backend.generate import generated

    modes = []
    loaded = load(str(base), threads=1)
    asks = [Ask([2 + row, *range(5, 6 + row % 3)], 8, temperature=1e-4, seed=4) for row in range(5)]
    loaded.model.for_inference = lambda: modes.append("writes")
    loaded.model.for_training = lambda: modes.append("learns")
    ours, theirs = write(loaded, asks), generated(loaded, asks)
    assert [(one.tokens, one.ended, one.end) for one in theirs] == [(one.tokens, one.ended, one.end) for one in ours]
    assert modes == ["writes", "learns"]
    assert generated(loaded, []) == []


@pytest.mark.parametrize(
    ("name", "value"), [("repetition_penalty", 5.0), ("no_repeat_ngram_size", 1), ("min_p", 0.9), ("typical_p", 0.01)]
)
def test_it_draws_from_the_whole_distribution_whatever_the_models_generation_configuration_says(base, name, value):
    """Likelihoods are taken of the scores as they are; afterwards the model's configuration is its own again."""
    from solon.models.backend.generation import Ask
    from solon.models.backend.loading import load
    from solon.trainers.backend.generate import generated

    loaded = load(str(base), threads=1)
    asks = [Ask([5, 6, 7], 16, temperature=0.7, seed=1)] * 4
    plain = [one.tokens for one in generated(loaded, asks)]
    setattr(loaded.network.generation_config, name, value)
    assert [one.tokens for one in generated(loaded, asks)] == plain
    assert getattr(loaded.network.generation_config, name) == value


def test_it_draws_from_the_likeliest_tokens_where_that_is_asked(base):
    """Of the likeliest millionth of the probability there is one token: what greedy writing takes."""
    from solon.models.backend.generation import Ask, write
    from solon.models.backend.loading import load
    from solon.trainers.backend.generate import generated

    loaded = load(str(base), threads=1)
    drawn, likeliest = ([Ask([5, 6, 7], 8, top_p=1e-6, **asked)] for asked in ({"temperature": 1.0}, {}))
    assert generated(loaded, drawn)[0].tokens == write(loaded, likeliest)[0].tokens


def test_what_it_writes_by_itself_follows_from_the_seed_and_leaves_other_random_numbers_alone(base):
    """A training that goes on writes the same."""
    import torch

    from solon.models.backend.generation import Ask
    from solon.models.backend.loading import load
    from solon.trainers.backend.generate import generated

    loaded = load(str(base), threads=1)
    first, again, other = (
        [one.tokens for one in generated(loaded, [Ask([5, 6], 8, temperature=1.0, seed=seed)] * 3)]
        for seed in (1, 1, 2)
    )
    assert first == again != other
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    generated(loaded, [Ask([5, 6], 8, temperature=1.0, seed=1)])
    assert torch.equal(torch.rand(2), expected)
