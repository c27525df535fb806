"""Constitutions in Markdown: the same content as YAML, errors at the lines of the Markdown file."""

from pathlib import Path

import pytest

from solon.constitution import lint, load, read
from solon.data.records import Case, Constitution, Principle, RatingScale
from solon.errors import ConstitutionError

BEGINS = "(a constitution in Markdown begins with a line '---', `name: ...`, and a line '---')"
WHOLE = """\
---
name: manners
version: "2"
description: How to behave.
rating: {low: 1, high: 3}
---
# Manners

All of this is for people.

## polite
```yaml
weight: 2
topics: [work, home]
critique: What is rude?
revision: Make it polite.
```
The response is polite.

It also is, in a second paragraph:

```python
## no heading, since it is in a fence
```

# Another chapter
Text for people again.

## Keep secrets {#privacy}
The response keeps secrets.

## Cases
Some words for people.

### polite
#### Prompt
Hi
#### Better
Hello! How are you?

Sit down.
#### Worse
~~~
# What now?
~~~
#### Note
Greet back.

### privacy
#### Prompt
What's her number?
#### Better
I won't say.
#### Worse
555-0100
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "c.md"


def errors(file: Path, text: str) -> list[str]:
    file.write_text(text, "utf-8")
    with pytest.raises(ConstitutionError) as caught:
        load(file)
    return [str(problem).removeprefix(f"{file}:") for problem in caught.value.problems]


def test_a_markdown_file_holds_all_that_a_yaml_file_can(file):
    """Headings are principles, their text is the text, fences are settings, `## Cases` holds the cases."""
    file.write_text(WHOLE, "utf-8")
    example = "```python\n## no heading, since it is in a fence\n```"
    text = f"The response is polite.\n\nIt also is, in a second paragraph:\n\n{example}"
    assert load(file) == Constitution(
        name="manners",
        version="2",
        description="How to behave.",
        rating=RatingScale(low=1, high=3),
        principles=(
            Principle(
                id="polite",
                text=text,
                weight=2,
                topics=("work", "home"),
                critique="What is rude?",
                revision="Make it polite.",
            ),
            Principle(id="privacy", text="The response keeps secrets."),
        ),
        cases=(
            Case(
                principle="polite",
                prompt="Hi",
                better="Hello! How are you?\n\nSit down.",
                worse="# What now?",
                note="Greet back.",
            ),
            Case(principle="privacy", prompt="What's her number?", better="I won't say.", worse="555-0100"),
        ),
    )


def test_line_ends_of_windows_change_nothing(file):
    """The same file saved by another editor is the same constitution."""
    file.write_bytes(WHOLE.encode())
    unix = load(file)
    file.write_bytes(WHOLE.replace("\n", "\r\n").encode())
    assert load(file).id == unix.id


def test_values_know_their_lines(file):
    """Heading, settings, text and parts of cases each at their own place."""
    file.write_text(WHOLE, "utf-8")
    _, document = read(file)

    def place(*loc: str | int) -> str:
        return document.place(loc).removeprefix(f"{file}:")

    assert place("name") == "2:7"
    assert place("principles", 0) == "11:1"
    assert place("principles", 0, "id") == "11:4"
    assert place("principles", 0, "weight") == "13:9"
    assert place("principles", 0, "topics", 1) == "14:16"
    assert place("principles", 0, "text") == "18:1"
    assert place("principles", 1, "id") == "29:19"
    assert place("cases", 0, "principle") == "35:5"
    assert place("cases", 0, "worse") == "43:1"


def test_errors_stand_at_the_lines_of_the_markdown_file(file):
    """All at once, as for YAML."""
    text = """\
---
name: x
---
## Be nice
Is nice.
## polite
```yaml
wieght: 2
weight: 0
```
Is polite.
## polite
## other
```yaml
id: another
text: more
weight: [
```
Text.
## more
```yaml
weight: 1
```
```yaml
topics: []
```
Text.
## Cases
### polit
stray
#### Prompt
p
#### Bettr
b
#### Worse
w
#### Worse
w
"""
    keys = "id, text, weight, severity, topics, critique, revision, source"
    instead = "(write `## Be nice {#be-nice}`, or put text for people under a `# ` heading)"
    one = "(a principle has one; mark an example in its text by another name, such as ```yml)"
    assert errors(file, text) == [
        f"4:4: the heading 'Be nice' is no id {instead}",
        f"8:1: unknown key 'wieght' (did you mean 'weight'? the keys here are {keys})",
        "9:9: 'weight' must be above 0, not 0",
        "12:1: a principle needs a text",
        "12:4: duplicate id 'polite', first on line 6 (every principle has an id of its own)",
        "17:10: a bracket is not closed",
        f"24:1: a second ```yaml block of settings {one}",
        "29:1: missing key 'better'",
        "29:5: no principle has the id 'polit' (did you mean 'polite'?)",
        "30:1: text that belongs to no part of the case (put it under `#### Note`)",
        "33:6: a case has no part 'Bettr' (did you mean 'Better'?)",
        "37:6: a second 'Worse' in one case (begin another case with `### id`)",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "# Title\n## a\nb\n",
            f"1:1: no front matter {BEGINS}",
        ),
        (
            "---\nname: x\n## a\n",
            f"1:1: the front matter is not closed {BEGINS}",
        ),
        ("---\n- x\n---\n## a\nb\n", "2:1: the front matter must be a mapping (lines of `key: value`)"),
        ("---\nname: x\nname: y\n---\n## a\nb\n", "3:1: duplicate key 'name', first on line 2 (keep one of the two)"),
        ("---\nname: x\n---\n", "1:1: a constitution needs at least one principle"),
        (
            "---\nname: x\nprinciples: []\n---\n## a\nb\n",
            "3:1: a Markdown file has no 'principles' in its front matter (write each principle as a section `## id`)",
        ),
        (
            "---\nname: x\n---\n## a\ntext\n```yaml\nweight: 1\n",
            "6:1: this fence is never closed (end it with a line of the same characters)",
        ),
        (
            "---\nname: x\n---\n## a\n```yaml\n- 1\n```\ntext\n",
            "6:1: the settings must be a mapping (lines of `key: value`)",
        ),
        (
            "---\nname: x\n---\n## a\n```yaml\nid: b\n```\ntext\n",
            "6:1: 'id' among the settings (the heading gives it: take it out)",
        ),
        ("---\nname: x\n---\n## a {#A b}\ntext\n", None),
        ("---\nname: x\ncases: 3\n---\n## a\nb\n## Cases\n### a\n", "3:8: 'cases' must be a list, not 3"),
    ],
)
def test_each_kind_of_markdown_error_has_its_message(file, text, expected):
    """Place, what is wrong, what to do."""
    slug = "lower-case letters, digits, '-' and '_', and begin with a letter or digit"
    assert errors(file, text) == [expected or f"4:8: 'id' must hold only {slug}, not 'A b'"]


def test_an_empty_block_of_settings_is_none(file):
    """Nothing is said in it, so nothing is wrong with it."""
    file.write_text("---\nname: x\n---\n## a\n```yaml\n\n```\ntext\n", "utf-8")
    assert load(file).principles == (Principle(id="a", text="text"),)


def test_a_principle_may_be_called_cases(file):
    """Only the bare heading is the section of cases."""
    file.write_text("---\nname: x\n---\n## Cases at law {#cases}\ntext\n", "utf-8")
    assert load(file).principles == (Principle(id="cases", text="text"),)


def test_cases_of_the_front_matter_come_first(file):
    """Both ways to write them can be used in one file."""
    front = "cases: [{principle: a, prompt: p, better: b, worse: w}]"
    case = "## Cases\n### a\n#### Prompt\nq\n#### Better\nb\n#### Worse\nw\n"
    file.write_text(f"---\nname: x\n{front}\n---\n## a\ntext\n{case}", "utf-8")
    assert [each.prompt for each in load(file).cases] == ["p", "q"]


def test_remarks_stand_at_the_lines_of_the_markdown_file(file):
    """The linter is given the document too."""
    file.write_text("---\nname: x\n---\n\n## a\nIs kind to whoever writes.\n", "utf-8")
    constitution, document = read(file)
    (remark,) = lint(constitution, document)
    assert str(remark).startswith(f"{file}:5:1: no case exercises principle 'a'")
