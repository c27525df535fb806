"""Chat templates under a budget: the sandbox of Jinja keeps a template from the machine, this keeps it from taking all.

Whatever renders a chat template does so through transformers: solon's own models, TRL's trainers, lm-eval. So what it
compiles templates with is replaced once, when it is loaded (``bound``), by the same environment with limits.
"""

from __future__ import annotations

import string
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import update_wrapper
from types import BuiltinMethodType, MethodType
from typing import Any

from jinja2 import Template, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedEscapeFormatter, SandboxedFormatter
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

from solon.errors import SolonError
from solon.models.backend.template_budget import Budget

MOST_SOURCE = 1_000_000
"""Characters of a template; those of models have some thousand."""
_COMPILES = "_cached_compile_jinja_template"
_MARK = "solon_bound"
# what no chat template needs, and what may write much for little, or take long
_LEFT_OUT = ("urlize", "xmlattr", "pprint", "wordwrap", "random", "striptags")
# bytes have methods of their own that write much, which nobody would ask about
_BYTES = ("encode", "to_bytes")
_local = threading.local()


def bound(compiling: Any) -> None:
    """Puts limits on the chat templates that transformers renders in this process.

    Args:
        compiling: ``transformers.utils.chat_template_utils``.

    Raises:
        SolonError: this transformers compiles them in a way that is not known here.
    """
    given = getattr(compiling, _COMPILES, None)
    if getattr(given, _MARK, False):
        return
    if given is None or not hasattr(compiling, "_compile_jinja_template"):
        raise SolonError(
            "this version of transformers renders chat templates in a way that solon cannot limit: "
            "pip install 'transformers==5.17.0'"
        )

    def limited(chat_template: str) -> Template:
        return _environment(given("").environment).from_string(chat_template)

    setattr(limited, _MARK, True)
    setattr(compiling, _COMPILES, limited)
    compiling._compile_jinja_template.cache_clear()


def _environment(given: Any) -> _Bounded:
    """The environment that transformers made, with limits."""
    made = _Bounded(
        trim_blocks=given.trim_blocks,
        lstrip_blocks=given.lstrip_blocks,
        extensions=[type(extension) for extension in given.extensions.values()],
        optimized=False,  # it would compute while it compiles
        finalize=_finalised,
    )
    made.globals.update(given.globals)
    made.globals.pop("lipsum", None)
    made.filters = {name: _filter(name, of) for name, of in given.filters.items() if name not in _LEFT_OUT}
    made.filters |= {"solon_step": _stepped, "solon_built": _built, "solon_cut": _cut, "solon_join": _joined}
    return made


def _budget() -> Budget:
    found = getattr(_local, "budget", None)
    if not isinstance(found, Budget):
        found = _local.budget = Budget(None)
    return found


class _Rendered(Template):
    """A template that begins each rendering with a budget of its own, and stops where the output is too long."""

    def render(self, *args: Any, **kwargs: Any) -> str:
        _local.budget = Budget([args, kwargs])
        return super().render(*args, **kwargs)

    def generate(self, *args: Any, **kwargs: Any) -> Iterator[str]:
        _local.budget = budget = Budget([args, kwargs])
        written = 0
        for piece in super().generate(*args, **kwargs):
            written += len(piece)
            budget.allow(written)
            yield piece


class _Bounded(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, in which whatever makes something asks the budget first."""

    template_class = _Rendered
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    @staticmethod
    def concat(parts: Iterable[str]) -> str:
        """What has been written, as one text, unless that is too long."""
        budget, found, written = _budget(), [], 0
        for part in parts:
            written += len(part)
            budget.allow(written)
            found.append(part)
        budget.made(written)
        return "".join(found)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if attr in _BYTES and isinstance(obj, str | int):
            return False
        return super().is_safe_attribute(obj, attr, value)

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        return super()._generate(_Counting().visit(source), *args, **kwargs)

    def _parse(self, source: str, *args: Any, **kwargs: Any) -> nodes.Template:
        if len(source) > MOST_SOURCE:
            raise SecurityError(f"it is longer than {MOST_SOURCE:,} characters")
        return super()._parse(source, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        budget = _budget()
        budget.step()
        match operator:
            case "*":
                budget.times(left, right)
            case "**":
                budget.power(left, right)
            case "%" if isinstance(left, str):
                budget.formatted(left, right)
            case "+" if not isinstance(left, int | float):
                budget.allow(budget.size(left) + budget.size(right))
            case _:
                pass
        return budget.bounded(super().call_binop(context, operator, left, right))

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805, PYI063 - as there
        budget = _budget()
        budget.step()
        of = getattr(__obj, "__self__", None)
        if isinstance(__obj, BuiltinMethodType | MethodType) and isinstance(of, str):
            if __obj.__name__ == "join" and args:
                args = (budget.joined(of, args[0]), *args[1:])
            budget.method(of, __obj.__name__, [*args, *kwargs.values()])
        return budget.bounded(super().call(__context, __obj, *args, **kwargs))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        found = super().wrap_str_format(value)
        if found is None:
            return None

        def formatted(*args: Any, **kwargs: Any) -> str:
            if value.__name__ == "format_map":
                args, kwargs = (), args[0] if args else {}
            text = value.__self__
            formatter = _Escaping(self, escape=text.escape) if isinstance(text, Markup) else _Formatter(self)
            found: str = type(text)(formatter.vformat(text, args, kwargs))
            return found

        return update_wrapper(formatted, value)


class _Measured(string.Formatter):
    """``str.format``, which asks before each field and after it."""

    written = 0

    def format_field(self, value: Any, format_spec: str) -> Any:
        budget = _budget()
        budget.step()
        budget.width(format_spec)
        budget.allow(self.written + budget.size(value))
        found = super().format_field(value, format_spec)
        self.written += len(found)
        budget.allow(self.written)
        return found


class _Formatter(_Measured, SandboxedFormatter):
    pass


class _Escaping(_Measured, SandboxedEscapeFormatter):
    pass


class _Counting(NodeTransformer):
    """Rewrites a template so that it counts its rounds, and asks before it puts things together."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - jinja2's name
        self.generic_visit(node)
        node.body.insert(0, nodes.ExprStmt(_asked(nodes.Const(None), "solon_step"), lineno=node.lineno))
        if node.test is not None:  # of what it keeps out, there is no round
            node.test = _asked(node.test, "solon_step")
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _asked(node, "solon_cut") if isinstance(node.arg, nodes.Slice) else node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _asked(nodes.List(node.nodes, lineno=node.lineno), "solon_join")

    def visit_List(self, node: nodes.Expr) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _asked(node, "solon_built")

    visit_Dict = visit_List  # noqa: N815

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _asked(node, "solon_built") if node.ctx == "load" else node


def _asked(node: Any, name: str) -> nodes.Filter:
    filtered = nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)
    filtered.environment = node.environment
    return filtered


def _stepped(value: Any) -> Any:
    _budget().step()
    return value


def _built(value: Any) -> Any:
    budget = _budget()
    budget.step()
    return budget.bounded(value)


def _cut(value: Any) -> Any:
    budget = _budget()
    budget.step()
    return budget.cut(value)


def _joined(values: list[Any]) -> str:
    budget = _budget()
    budget.step()
    size = budget.size(values)
    budget.allow(size)
    budget.made(size)
    return "".join(map(str, values))


@pass_context
def _finalised(_: Context, value: Any) -> Any:
    """What an expression gives, before it is written. With a context, so that it is not computed while compiling."""
    if not isinstance(value, str):
        _budget().size(value)
    return value


def _filter(name: str, of: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that asks first."""
    skipped = 1 if getattr(of, "jinja_pass_arg", None) is not None else 0

    def filtered(*args: Any, **kwargs: Any) -> Any:
        budget = _budget()
        budget.step()
        before, values = args[:skipped], list(args[skipped:])
        given = [*values[1:], *kwargs.values()]
        match name:
            case "join" | "sum" | "list" | "unique" | "sort" if values and not isinstance(values[0], Mapping):
                values[0] = budget.joined(given[0] if given and name == "join" else "", values[0])
                if name == "sum":  # of lists, each sum is a copy
                    budget.step(len(values[0]) ** 2 // 1_000)
            case "format" if values:
                budget.formatted(str(values[0]), given)
            case "string" | "upper" | "lower" | "title" | "tojson" | "escape" | "e" if values:
                budget.size(values[0])
            case _:
                pass
        if values:
            budget.method(values[0] if isinstance(values[0], str) else "", name, given)
        return budget.bounded(of(*before, *values, **kwargs))

    return update_wrapper(filtered, of)
