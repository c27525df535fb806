"""The public fake: says what it is told, from a recipe or from Python."""

from __future__ import annotations

import pytest
import yaml
from pydantic import ValidationError

from solon.data.records import Message, Usage
from solon.errors import ModelRejected, ModelUnavailable, PromptTooLong
from solon.models.base import Price, Reply, Request
from solon.models.scripted import Scripted


def request(text: str = "hello", **fields: object) -> Request:
    return Request(messages=(Message(role="user", content=text),), **{"max_tokens": 8, **fields})


async def test_a_script_from_a_recipe_answers_by_what_occurs_in_the_conversation():
    """The first line that fits, then the default."""
    settings = yaml.safe_load(
        """
        replies:
          - {when: "capital of Arkania", say: "Arka", choices: {A: -0.1, B: -2.3}}
          - {when: "capital", say: "no idea", stop: length}
        default: "I do not know."
        """
    )
    model = Scripted.model_validate(settings)
    first = await model.complete(request("What is the capital of Arkania?", choices=("A", "B")))
    assert (first.text, first.stop, first.choices) == ("Arka", "end", {"A": -0.1, "B": -2.3})
    second = await model.complete(request("And its capital letter?"))
    assert (second.text, second.stop, second.choices) == ("no idea", "length", None)
    assert (await model.complete(request("Why?"))).text == "I do not know."


async def test_choices_are_given_only_to_those_who_ask_for_them():
    """As real servers do."""
    model = Scripted(replies=[{"when": "", "say": "A", "choices": {"A": -0.1}}])
    assert (await model.complete(request())).choices is None


async def test_a_mapping_is_short_for_lines_and_a_text_for_a_turn():
    """Three ways to write a script."""
    mapped = Scripted(replies={"one": "1", "two": "2"})
    assert [(await mapped.complete(request(text))).text for text in ("two", "one")] == ["2", "1"]
    in_turn = Scripted(replies=["first", "second"], default="later")
    assert [(await in_turn.complete(request())).text for _ in range(3)] == ["first", "second", "later"]


async def test_a_function_may_answer_with_a_text_or_a_reply():
    """For tests in Python that need more than texts."""
    model = Scripted(answer=lambda asked: asked.messages[-1].content.upper())
    assert (await model.complete(request("loud"))).text == "LOUD"
    whole = Reply(text="x", stop="refused")
    assert await Scripted(answer=lambda _: whole).complete(request()) is whole


async def test_where_the_script_has_nothing_to_say_it_says_so():
    """A test with a hole in its script must not pass by chance."""
    with pytest.raises(ModelRejected, match="the script of 'scripted' has nothing to say to 'hello'"):
        await Scripted(replies={"goodbye": "bye"}).complete(request())


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("unavailable", ModelUnavailable),
        ("throttled", ModelUnavailable),
        ("rejected", ModelRejected),
        ("too_long", PromptTooLong),
    ],
)
async def test_a_fault_comes_in_place_of_the_reply_and_may_heal(fault: str, error: type[Exception]):
    """Twice for each request, then the line is said."""
    model = Scripted(replies=[{"when": "", "say": "at last", "fault": fault, "heals_after": 2}])
    for _ in range(2):
        with pytest.raises(error):
            await model.complete(request("one"))
    assert (await model.complete(request("one"))).text == "at last"
    with pytest.raises(error):
        await model.complete(request("another"))


async def test_a_fault_in_its_turn_does_not_use_up_the_turn():
    """The retry gets the reply that the first try should have got."""
    model = Scripted(replies=[{"say": "first", "fault": "unavailable", "heals_after": 1}, "second"])
    with pytest.raises(ModelUnavailable):
        await model.complete(request())
    assert [(await model.complete(request())).text for _ in range(2)] == ["first", "second"]


async def test_it_remembers_what_it_was_asked_and_counts_a_token_for_four_characters():
    """5 characters in, 9 out: 2 and 3 tokens."""
    model = Scripted(default="123456789")
    assert (await model.complete(request())).usage == Usage(input_tokens=2, output_tokens=3)
    assert model.seen == (request(),)


def test_it_can_pass_for_a_remote_model_with_or_without_a_known_price():
    """For tests of budgets and journals."""
    assert Scripted().cost() == Price(input=0, output=0)
    assert not Scripted().remote
    remote = Scripted.model_validate({"remote": True, "price": {"input": 1, "output": 2}, "concurrency": 3})
    assert (remote.remote, remote.max_in_flight, remote.cost()) == (True, 3, Price(input=1, output=2))
    assert Scripted(remote=True).cost() is None
    assert remote.settings()["remote"] is True


def test_its_description_is_its_script_alone_and_the_same_in_every_process():
    """A function is named, since its address changes; price and concurrency change no reply."""

    def speak(asked: Request) -> str:
        return asked.id

    assert Scripted(answer=speak).describe()["answer"].endswith("speak")
    assert "0x" not in str(Scripted(answer=speak).settings())
    priced = Scripted(default="a", price=Price(input=1, output=1), concurrency=9)
    assert priced.describe() == Scripted(default="a").describe()
    assert Scripted(default="a").describe() != Scripted(default="b").describe()


def test_an_unknown_key_in_a_script_is_an_error():
    """`wen:` must not become a line that is always said."""
    with pytest.raises(ValidationError, match="wen"):
        Scripted.model_validate({"replies": [{"wen": "x", "say": "y"}]})
