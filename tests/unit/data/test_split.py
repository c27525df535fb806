"""No prompt is on both sides, and no prompt has a say in where another goes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from solon.data.records import Message, Prompt
from solon.data.split import is_held_out, split

REPEATABLE = settings(deadline=None, derandomize=True, database=None)
TEXTS = st.lists(st.text(max_size=12), max_size=12)
SHARES = st.floats(min_value=0, max_value=1)
SEEDS = st.integers(min_value=0, max_value=2**32)


@REPEATABLE
@given(TEXTS, SHARES, SEEDS)
def test_every_prompt_is_on_exactly_one_side(texts, share, seed):
    """Nothing is lost, nothing is twice, and the order is kept."""
    prompts = [Prompt.of(text) for text in texts]
    train, test = split(prompts, share, seed)
    assert not set(train) & set(test)
    assert list(train) == [prompt for prompt in prompts if prompt not in test]
    assert list(test) == [prompt for prompt in prompts if prompt in test]


@REPEATABLE
@given(TEXTS, st.text(max_size=12), SHARES, SEEDS)
def test_the_side_of_a_prompt_does_not_depend_on_the_others(texts, text, share, seed):
    """Adding prompts to a file never moves one from training to testing."""
    prompt = Prompt.of(text)
    _, test = split([*(Prompt.of(other) for other in texts), prompt], share, seed)
    assert (prompt in test) == is_held_out(prompt, share, seed)


@REPEATABLE
@given(st.text(max_size=12), SEEDS, SHARES, SHARES)
def test_a_larger_share_only_adds(text, seed, one, other):
    """Holding out more keeps what was held out before."""
    small, large = sorted((one, other))
    assert not is_held_out(Prompt.of(text), small, seed) or is_held_out(Prompt.of(text), large, seed)


@REPEATABLE
@given(st.text(max_size=12), SEEDS)
def test_a_share_of_none_and_of_all_are_exact(text, seed):
    """The ends of the range are not approximate."""
    assert not is_held_out(Prompt.of(text), 0, seed)
    assert is_held_out(Prompt.of(text), 1, seed)


@REPEATABLE
@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=20), SHARES, SEEDS)
def test_spelling_does_not_put_a_prompt_on_both_sides(text, share, seed):
    """Case, spaces, topic and reference answer do not make another prompt of it."""
    side = is_held_out(Prompt.of(text), share, seed)
    assert is_held_out(Prompt.of(f"  {text.casefold()}\n"), share, seed) == side
    assert is_held_out(Prompt.of(text, topic="sums", reference="4"), share, seed) == side


def test_the_share_is_about_what_was_asked_for():
    """10 % of 10,000 prompts is 1,000, give or take 3 standard deviations of 30."""
    prompts = [Prompt.of(f"What is {n} + {n}?") for n in range(10_000)]
    for seed in (0, 1):
        assert abs(len(split(prompts, 0.1, seed)[1]) - 1000) <= 90


def test_another_seed_holds_out_others():
    """Or three seeds would be one."""
    prompts = [Prompt.of(f"What is {n} + {n}?") for n in range(100)]
    assert split(prompts, 0.5, 0)[1] != split(prompts, 0.5, 1)[1]


def test_who_says_it_is_part_of_the_prompt():
    """A conversation is not the text of its turns glued together; over 64 seeds both sides come up."""
    one = Prompt(messages=(Message(role="system", content="Be kind."), Message(role="user", content="Hi")))
    other = Prompt.of("Hi")
    assert [is_held_out(one, 0.5, seed) for seed in range(64)] != [is_held_out(other, 0.5, seed) for seed in range(64)]


def test_the_split_is_the_same_on_every_machine():
    """A change would mix training and test prompts of all earlier runs. At a half, the first hexadecimal digit decides:

    ``printf '0:[["user", "what is 2 + 2?"]]' | sha256sum`` begins with 9, and those of seeds 1 to 7 with 5 8 9 3 1 8 0;
    below 8 is held out.
    """
    assert [is_held_out(Prompt.of("What is 2 + 2?"), 0.5, seed) for seed in range(8)] == [
        False, True, False, False, True, True, False, True,
    ]  # fmt: skip
