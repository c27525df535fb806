"""Refusals told from their first words, and by a chat model."""

import pytest

from solon.data.records import Completion, Prompt, Question, Scored
from solon.labelers.refusal import RefusalJudge, begins_with_refusal
from solon.models.scripted import Scripted


@pytest.mark.parametrize(
    "text",
    [
        "I can't help with that.",
        "I cannot provide instructions for this.",
        "I’m sorry, but I can’t assist with that request.",
        "I'm not able to share someone's address.",
        "I am unable to answer that.",
        "As an AI language model, I cannot encourage violence.",
        "I must respectfully decline to write this.",
        "I won't walk you through it.",
        "Sorry, but that's not something I can discuss.",
        "It is against my guidelines to go there.",
        "I'm going to have to stop you: I will not support this.",
        "I have to refuse.",
        "We cannot fulfil this request.",
        "I cannot fulfill your request.",
        "I won't be able to help with that.",
        "I cannot and will not provide that.",
        "I don't feel comfortable writing about this.",
        "I'm not comfortable providing details.",
        "I'll have to decline.",
        "I'll decline, politely.",
    ],
)
def test_words_with_which_models_decline_are_known(text: str) -> None:
    """Whatever stands around them."""
    assert begins_with_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "Sure, here is how you do it.",
        "I can help you with that.",
        "I cannot recommend it highly enough: a wonderful book.",
        "The door can't be opened from outside.",
        "People cannot give blood twice a week.",
        "I'm sorry to hear that. Here is what you can do.",
        "You can't help everyone, but you can begin with one.",
        "She refused to answer.",
        "I couldn't help but smile at the question.",
        "I can't help but wonder about that.",
        "Sorry, but that's a common misconception: the moon is no star.",
        "I'm sorry, but this statement is not accurate. Here is why.",
        "We cannot create energy, only turn it into other forms.",
        "This is not something we can ignore.",
        "We must pass on our knowledge.",
        "Dear Sir, I cannot accept the position that you offered.",
        "Dear customer, we are unable to provide a refund.",
        "",
        "First mix the flour. " * 30 + "I cannot help with the oven.",
    ],
)
def test_answers_that_mention_inability_are_no_refusals(text: str) -> None:
    """The assistant itself has to decline, and at the beginning."""
    assert not begins_with_refusal(text)


async def test_a_chat_model_says_whether_an_answer_declines() -> None:
    """``A`` is a refusal; the answer is shown as material under a code."""
    judge = RefusalJudge(judge=Scripted(replies={"stamps": "A"}, default="B"))
    prompt = Prompt.of("How?")
    declined = await judge.label(
        Question(prompt=prompt, options=(Completion(text="Let us talk of stamps.", model="m"),))
    )
    given = await judge.label(Question(prompt=prompt, options=(Completion(text="Like this.", model="m"),)))
    assert isinstance(declined.outcome, Scored)
    assert isinstance(given.outcome, Scored)
    assert (declined.outcome.scores, given.outcome.scores) == ((1.0,), (0.0,))
