"""What calls of one model may cost, before they go out: the caps they count under, and what each can cost at most."""

from __future__ import annotations

from functools import cached_property

from solon.errors import BudgetReached, InputError
from solon.ledger.rows import NANO, Budget, Call, NoRoom, Sent, nano
from solon.models.base import ChatModel, Request
from solon.models.estimate import most_usd


class Purse:
    """The caps of one model: that of the run, shared with all other models, and the model's own.

    Args:
        model: it.
        name: names the model's own cap.
        shared: the other caps.
    """

    def __init__(self, model: ChatModel, name: str, shared: tuple[Budget, ...]) -> None:
        self._model = model
        cap = model.max_usd
        self._budgets = shared if cap is None else (*shared, Budget(f"run {name}: {model.name}", cap))

    def reservation(self, call: Call, request: Request, *, batched: bool = False) -> Sent:
        """The call with the most that it can cost, as it is journalled before it goes out.

        Raises:
            InputError: the price of the model is not known.
        """
        if self._is_free:
            return Sent(call, 0)  # what costs nothing passes no cap, not even one that is reached
        reserve = nano(most_usd(self._model, request, batched=batched))
        return Sent(call, reserve, self._budgets if reserve else ())

    @cached_property
    def _is_free(self) -> bool:
        price = self._model.cost()
        if price is None:
            raise InputError(
                f"the price of {self._model.name} is not known, so nothing is asked of it: state it as "
                "`price: {input: ..., output: ...}`, in US dollars for a million tokens (0 if it is free)"
            )
        return price.is_free

    def no_room(self, full: NoRoom) -> BudgetReached:
        """What to say where a budget does not allow a call."""
        doubt = f", ${full.in_doubt / NANO:.4f} of it in doubt" if full.in_doubt else ""
        return BudgetReached(
            f"budget {full.budget!r} is reached: ${full.spent / NANO:.4f} of ${full.cap / NANO:.4f} is spent{doubt}, "
            f"and the next request to {self._model.name} could cost ${full.needed / NANO:.4f}. Everything so far is "
            "kept; raise max_usd to go on"
        )
