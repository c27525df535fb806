"""Chat templates come with models, and are programs: none leaves the sandbox, fills the memory or never ends."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon.models.backend.template_budget import SECONDS, SPARE
from solon.testing.llama31 import CHAT_TEMPLATE

pytest.importorskip("transformers")
import transformers.utils.chat_template_utils as rendering
from jinja2.exceptions import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template

from solon.models.backend.loading import libraries

SOURCE = Path(__file__).parents[2] / "src" / "solon"
ASKED = [{"role": "user", "content": "hello"}]
ESCAPES = {
    "class of a text": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals of cycler": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "globals of lipsum": "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "the template's context": "{{ self._TemplateReference__context.cycler.__init__.__globals__.os }}",
    "escaped name": r"{{ (''|attr('\x5f\x5fclass\x5f\x5f')).mro() }}",
    "str.format": "{{ '{0.__class__.__mro__}'.format('') }}",
    "str.format_map": "{{ '{a.__class__.__mro__}'.format_map({'a': ''}) }}",
    "a file": "{% include '/etc/passwd' %}",
}
"""What is known to lead out of a sandbox of Jinja, in one version of it or another."""
_BUILD = "{% set n = namespace(x='aaaaaaaaaa') %}{% for i in range(60) %}{% set n.x = BODY %}{% endfor %}{{ n.x }}"
LARGE = {
    "100 MB of text": "{% for i in range(100000) %}" + "x" * 1000 + "{% endfor %}",
    "100 MB by a macro": "{% macro m() %}{% for i in range(100000) %}"
    + "x" * 1000
    + "{% endfor %}{% endmacro %}{{ m() }}",
    "100 MB in a block": "{% set z %}{% for i in range(100000) %}" + "x" * 1000 + "{% endfor %}{% endset %}{{ z }}",
    "times": "{{ 'a' * 10**9 }}",
    "list times": "{{ [1] * 10**9 }}",
    "width": "{{ '%1000000000s' % 'x' }}",
    "width given": "{{ '%*d' % (1000000000, 1) }}",
    "width of format": "{{ '{:1000000000}'.format('x') }}",
    "width within": "{{ '{:{w}}'.format('x', w=1000000000) }}",
    "filter format": "{{ '%1000000000s'|format('x') }}",
    "center": "{{ 'x'|center(1000000000) }}",
    "ljust": "{{ 'x'.ljust(1000000000) }}",
    "zfill": "{{ 'x'.zfill(1000000000) }}",
    "power": "{{ 10 ** (10 ** 9) }}",
    "doubled by ~": _BUILD.replace("BODY", "n.x ~ n.x"),
    "doubled by +": _BUILD.replace("BODY", "n.x + n.x"),
    "nested lists": _BUILD.replace("BODY", "[n.x, n.x]"),
    "nested mappings": _BUILD.replace("BODY", "dict(a=n.x, b=n.x)"),
    "namespaces": "{% set n = namespace() %}{% for i in range(60) %}{% set n.x = [n, n] %}{% endfor %}{{ n.x }}",
    "replace": "{{ ('x' * 100000).replace('x', 'y' * 100000) }}",
    "filter replace": "{{ ('x' * 100000)|replace('x', 'y' * 100000) }}",
    "join": "{{ ('x' * 100000).join(range(99999)|map('string')) }}",
    "indent": "{{ ('x\n' * 100000)|indent(100000) }}",
    "indent of JSON": "{{ [[1]]|tojson(indent=1000000000) }}",
    "translate": "{{ ('a' * 100000).translate({97: 'x' * 100000}) }}",
    "tabs": "{{ ('\t' * 1000).expandtabs(1000000) }}",
    "fields": "{{ ('{0}' * 10000).format('x' * 100000) }}",
    "batch": "{{ [1]|batch(1000000000, 'x')|list }}",
    "bytes": "{{ 'x'.encode().ljust(10**9)|length }}",
    "bytes of a number": "{{ (1).to_bytes(10**9, 'big')|length }}",
    "width of bytes": "{{ ('%1000000000s'.encode() % 'x'.encode())|length }}",
    "many widths": "{{ ('{0:9999}' * 20000).format('x')|length }}",
    "width behind a key": "{{ '%((a))1000000000s' % {'(a)': 1} }}",
    "precision": "{{ '%.1000000000d' % 1 }}",
    "many texts": "".join(f"{{% set a{n} = 'x' * {490_000 - n} %}}" for n in range(140)),
    "many parts": "{% set a = 'x' * 490000 %}" + "".join(f"{{% set a{n} = a[{n}:] %}}" for n in range(140)),
}
ENDLESS = {
    "range": "{% for i in range(10**9) %}{% endfor %}",
    "loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "loop of itself": "{% for a in range(99999) recursive %}{{ loop(range(99999)) if loop.depth < 4 }}{% endfor %}",
    "macro of itself": "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
    "macros, doubling": "{% macro m(n) %}{{ (m(n + 1) ~ m(n + 1)) if n < 60 }}{% endmacro %}{{ m(0) }}",
    "brackets": "{{ " + "(" * 100_000 + "1" + ")" * 100_000 + " }}",
    "long": "x" * 1_000_001,
    "conditions": "{% for a in range(99999) %}{% for b in range(99999) if b < 0 %}{% endfor %}{% endfor %}",
    "rounding": "{{ 1|round(1000000000, 'ceil') }}",
    "sum of lists": "{{ ([[1]] * 300000)|sum(start=[])|length }}",
}
SECONDS_LONG = ("loop of itself", "macros, doubling", "nested lists", "nested mappings", "join")
"""Those that take seconds: at full size alone."""


@pytest.fixture(autouse=True)
def _limited() -> None:
    libraries()


def rendered(template: str, conversation: Any = None) -> str:
    return str(render_jinja_template([conversation or ASKED], chat_template=template)[0][0])


@pytest.mark.reliability("jinja")
def test_no_known_escape_leads_out(figure: Callable[[str], None]) -> None:
    """Each is stopped with an error, as the model's template is at fault."""
    for name, template in ESCAPES.items():
        with pytest.raises((TemplateError, TypeError)):
            pytest.fail(f"{name}: {rendered(template)}")
    figure(f"{len(ESCAPES)} of {len(ESCAPES)} escapes blocked")


@pytest.mark.reliability("jinja")
@pytest.mark.timeout(600)
def test_nothing_large_is_built(full: bool, figure: Callable[[str], None]) -> None:
    """100 MB and more, by every way that is known: refused before it is there, as the memory shows."""
    import tracemalloc

    cases = {name: one for name, one in LARGE.items() if full or name not in SECONDS_LONG}
    tracemalloc.start()
    try:
        for name, template in cases.items():
            with pytest.raises(TemplateError):
                pytest.fail(f"{name}: {len(rendered(template))} characters")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 80_000_000
    figure(f"{len(cases)} ways to 100 MB and more refused in {most / 1e6:.0f} MB")


@pytest.mark.reliability("jinja")
def test_nothing_goes_on_without_end(full: bool, figure: Callable[[str], None]) -> None:
    """Loops, recursion and nesting end at a count, or at ten seconds of processor time."""
    cases = {name: one for name, one in ENDLESS.items() if full or name not in SECONDS_LONG}
    for name, template in cases.items():
        with pytest.raises((TemplateError, OverflowError, RecursionError)):
            pytest.fail(f"{name}: {len(rendered(template))} characters")
    figure(f"{len(cases)} that never end, stopped")


@pytest.mark.reliability("jinja")
@pytest.mark.slow
def test_what_counts_little_and_takes_long_ends_by_the_clock(full: bool) -> None:
    """One operation may look at a hundred thousand things, so the time of the thread is looked at too."""
    if not full:
        pytest.skip(f"takes {SECONDS:.0f} seconds of CPU: make reliability")
    with pytest.raises(TemplateError, match="seconds"):
        rendered("{% set y = range(99999)|list %}{% for a in range(99999) if -1 in y %}{% endfor %}")


@pytest.mark.reliability("jinja")
def test_long_conversations_are_rendered_all_the_same() -> None:
    """What may be written grows with what was given: a text of some MB, and a thousand turns."""
    long = [{"role": "user", "content": "word " * (SPARE // 2)}]
    assert len(rendered(CHAT_TEMPLATE, long)) > 2 * SPARE
    many = [{"role": role, "content": "x"} for _ in range(10_000) for role in ("user", "assistant")]
    assert rendered(CHAT_TEMPLATE, many).count("<|eot_id|>") >= 20_000


@pytest.mark.reliability("jinja")
def test_a_template_may_look_at_every_other_turn_in_each() -> None:
    """Gemma 4's looks ahead, others put together a text or a list: that grows with the square of the turns."""
    turns = [{"role": role, "content": "word " * 40} for _ in range(550) for role in ("user", "assistant")]
    later = "{% for j in range(loop.index0, messages|length) %}{% if messages[j].role ~ '' %}{% endif %}{% endfor %}"
    assert rendered("{% for m in messages %}" + later + "{{ m.content }}{% endfor %}", turns).count("word") == 44_000
    text = "{% set n = namespace(x='') %}{% for m in messages %}{% set n.x = n.x ~ m.content %}{% endfor %}{{ n.x }}"
    assert rendered(text, turns).count("word") == 44_000
    listed = "{% set n = namespace(x=[]) %}{% for m in messages[:300] %}{% set n.x = n.x + [m] %}{% endfor %}"
    assert rendered(listed + "{{ n.x|length }}", turns) == "300"


@pytest.mark.reliability("jinja")
@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ '**Tools** since 20240101: %s' % 'x' }}", "**Tools** since 20240101: x"),
        ("{{ '* %s, %5d'|format('x', 1) }}", "* x,     1"),
        ("{{ '%(a)s of 100%%' % {'a': 1} }}", "1 of 100%"),
        ("{{ ('<b>{:>3}'|safe).format('<') }}", "<b>  &lt;"),
        ("{{ '{:>3}|{a}'.format('<', a='b') }}", "  <|b"),
        ("{{ 2.345|round(2) }}", "2.35"),
        ("{{ [[1], [2]]|sum(start=[]) }}", "[1, 2]"),
    ],
)
def test_what_formats_without_a_width_gives_what_it_gave(template: str, expected: str) -> None:
    """An asterisk or a year in the text beside is no width, and text that is marked as safe escapes what is put in."""
    free = rendering._cached_compile_jinja_template.__closure__[0].cell_contents
    assert rendered(template) == free(template).render() == expected


@pytest.mark.reliability("jinja")
def test_many_threads_render_one_template_each_under_its_own_budget() -> None:
    """The compiled template is one for all; a long conversation beside a short one changes neither."""
    from concurrent.futures import ThreadPoolExecutor

    short = ASKED
    long = [{"role": "user", "content": "word " * SPARE}]
    free = rendering._cached_compile_jinja_template.__closure__[0].cell_contents(CHAT_TEMPLATE)
    expected = [free.render(messages=each, add_generation_prompt=False) for each in (short, long)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda n: rendered(CHAT_TEMPLATE, (short, long)[n % 2]), range(16)))
    assert found == [expected[n % 2] for n in range(16)]


@pytest.mark.reliability("jinja")
def test_the_words_of_the_assistant_are_found_where_they_were() -> None:
    """Trainings that learn the assistant's words alone ask where those stand."""
    template = (
        "{% for m in messages %}{% if m.role == 'user' %}u{{ m.content }}{% else %}"
        "a{% generation %}{{ m.content }}{% endgeneration %}{% endif %}{% endfor %}"
    )
    turns = [*ASKED, {"role": "assistant", "content": "one"}, *ASKED, {"role": "assistant", "content": "three"}]
    texts, places = render_jinja_template([turns], chat_template=template, return_assistant_tokens_mask=True)
    assert [texts[0][start:end] for start, end in places[0]] == ["one", "three"]


@pytest.mark.reliability("jinja")
def test_templates_of_models_give_what_they_gave(full: bool, figure: Callable[[str], None]) -> None:
    """Those that TRL ships, of a dozen families, and Llama 3.1's: the same text, or the same error."""
    trl = pytest.importorskip("trl")
    templates = [file.read_text("utf-8") for file in sorted(Path(trl.__file__).parent.rglob("*.jinja"))]
    templates = templates if full else templates[::8]
    given = rendering._cached_compile_jinja_template
    free = given.__closure__[0].cell_contents
    turns = [*ASKED, {"role": "assistant", "content": "<think>\nx\n</think>\n\nb"}, {"role": "user", "content": " c "}]
    tool = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}
    for template in [*templates, CHAT_TEMPLATE]:
        for messages in (ASKED, turns, [{"role": "system", "content": "s"}, *turns]):
            for tools in (None, [tool]):
                said = []
                for compiled in (free(template), given(template)):
                    try:
                        said.append(compiled.render(messages=messages, tools=tools, add_generation_prompt=True))
                    except (TemplateError, TypeError) as error:
                        said.append(f"{type(error).__name__}: {error}")
                assert said[0] == said[1]
    figure(f"{len(templates) + 1} templates of models give what they gave")


@pytest.mark.reliability("jinja")
def test_a_model_with_such_a_template_is_refused_in_words() -> None:
    """By the one door of conversations to text; and by the tokenizer's own way, which TRL and lm-eval take."""
    from solon.data.records import Message
    from solon.errors import ModelRejected
    from solon.models.backend.chat import Chat
    from solon.testing.tiny import tiny_tokenizer

    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = LARGE["doubled by ~"]
    with pytest.raises(ModelRejected, match=r"the model's chat template refuses .*: it builds a text of more than"):
        Chat(tokenizer, (0,)).render([Message(role="user", content="a")])
    with pytest.raises(TemplateError, match="it builds a text of more than"):
        tokenizer.apply_chat_template(ASKED, tokenize=False)


@pytest.mark.reliability("jinja")
def test_no_other_text_is_a_template_of_jinja() -> None:
    """Prompts of judges, constitutions and data are none. It is for chat templates, and for our own page."""
    importing = set()
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.partition(".")[0] == "jinja2" for name in names):
                importing.add(file.relative_to(SOURCE).as_posix())
    assert importing == {"models/backend/template_budget.py", "models/backend/templates.py", "report/html.py"}
