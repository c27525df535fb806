"""Scores one completion with a sequence-classification model: a judge of one thing, or a reward model."""

from __future__ import annotations

import math
from functools import cached_property
from typing import ClassVar, assert_never

from solon.data.records import Failed, Judgment, Message, Question, Scored
from solon.labelers.asking import asked
from solon.labelers.scorer import Scorer
from solon.models.base import ChatModel, Reply, Request
from solon.models.classifier import Classifying, SequenceClassifier


class Classifier(Classifying, Scorer):
    """Scores each response by a label of a classifier, with no question to a judge. Needs the ``train`` extra.

    It knows no principles: whatever the constitution says, it scores what it was trained for. So it is asked one
    question a response, under every principle that applies to the prompt at once.
    """

    kind: ClassVar[str] = "classifier"

    @cached_property
    def _model(self) -> SequenceClassifier:
        # one object for all calls: the stream knows a model by its object
        fields = Classifying.model_fields.items()
        return SequenceClassifier(**{field.alias or name: getattr(self, name) for name, field in fields})

    def models(self) -> tuple[ChatModel, ...]:
        """The classifier."""
        return (self._model,)

    def effects(self) -> dict[str, object]:
        """What the model holds and how it reads; not where it lies, nor how many texts it reads at once."""
        return {"kind": self.kind, "asks": self._model.describe()}

    def problems(self) -> list[str]:
        """What the model folder lacks, a label that it does not have, packages that are not installed."""
        return self._model.problems()

    @property
    def longest_reply(self) -> int:
        """1: it writes nothing."""
        return 1

    async def label(self, question: Question) -> Judgment:
        """Scores one response. With several labels, ``probability`` is that of the side of 0.5 on which it falls.

        Raises:
            ValueError: the question has more than one option.
            DataError: the model cannot be loaded, or has no such label.
            ModelRejected: it cannot run here; the stage stops.
        """
        if len(question.options) != 1:
            raise ValueError(f"a question for a classifier has 1 option, and this one has {len(question.options)}")
        response = Message(role="assistant", content=question.options[0].text)
        messages = (*question.prompt.messages, response) if self.text == "conversation" else (response,)
        # local and without chance: asked again it would say the same
        answer = await asked(self._model, Request(messages=messages, max_tokens=1), self._read, reasks=0)
        return question.judged(
            answer.outcome, labeler=self.name, rationale=answer.text, usage=answer.usage, cost_usd=answer.cost_usd
        )

    def _read(self, reply: Reply) -> Scored | Failed:
        if reply.logits is None or not reply.choices:
            return Failed(reason="error", raw="the response holds no token that the classifier could read")
        ((label, log_prob),) = reply.choices.items()
        probability = math.exp(log_prob)
        # a logit alone says how one response compares with another, and nothing about how sure that is
        sure = max(probability, 1 - probability) if len(reply.logits) > 1 else None
        match self.value:
            case "logit":
                logit = reply.logits[label]
                return Scored(scores=(logit if self.good else -logit,), probability=sure, scale="logit")
            case "probability":
                return Scored(scores=(probability if self.good else 1 - probability,), probability=sure)
            case _:
                assert_never(self.value)
