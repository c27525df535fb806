"""What people write, read with its places: YAML 1.2 without surprises, and every error at its line and column."""

from pathlib import Path

import pytest

from solon.document import Document, load, parse, read
from solon.errors import InputError, Problem, RecipeError


def data_of(text: str) -> object:
    document, problems = parse(text, "f.yaml")
    assert problems == []
    return document.data


def refusal(text: str, form: str = "yaml") -> str:
    try:
        _, problems = parse(text, "f", form=form)
    except InputError as error:
        return str(error)
    return "\n".join(map(str, problems))


def test_values_and_keys_know_their_place():
    """Every later message stands on this: line and column, both from 1."""
    document, _ = parse("name: x\nlist:\n  - a: 1\n    b:\n      - 2\n", "f.yaml")
    assert document.data == {"name": "x", "list": [{"a": 1, "b": [2]}]}
    assert document.place(("name",)) == "f.yaml:1:7"
    assert document.key_place(("name",)) == "f.yaml:1:1"
    assert document.place(("list", 0)) == "f.yaml:3:5"
    assert document.place(("list", 0, "b", 0)) == "f.yaml:5:9"
    assert document.key_place(("list", 0, "b")) == "f.yaml:4:5"


def test_a_place_that_the_file_lacks_is_its_nearest_ancestors():
    """A missing key is reported where it should have stood."""
    document, _ = parse("a: 1\nlist:\n  - b: 2\n", "f.yaml")
    assert document.place(("list", 0, "missing", "deeper")) == "f.yaml:3:5"
    assert document.place(("nothing",)) == "f.yaml:1:1"


def test_an_empty_value_has_the_place_of_its_key():
    """Nobody can see the place of nothing."""
    document, _ = parse("a: 1\nb:\n", "f.yaml")
    assert document.data == {"a": 1, "b": None}
    assert document.place(("b",)) == "f.yaml:2:1"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("off", "off"),
        ("true", True),
        ("False", False),
        ("1e-5", 1e-5),
        ("5.", 5.0),
        ("-.5", -0.5),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2026-11-21", "2026-11-21"),
        ("~", None),
        ("null", None),
        ("'true'", "true"),
        ("!!str 5", "5"),
        ("!!float 5", 5.0),
        ("=", "="),
        ("'<<'", "<<"),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text, value):
    """PyYAML alone would read yes as true, 1e-5 as text, 012 as ten and 12:30:45 as a number of seconds."""
    result = data_of(f"key: {text}\n")["key"]
    assert (result, type(result)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: .inf", "f:1:4: .inf is not a finite number (put it in quotes if it is meant as text)"),
        ("a: 1e999", "f:1:4: 1e999 is too large for a number (put it in quotes if it is meant as text)"),
        ("a: " + "9" * 500, "f:1:4: a number of 500 characters (put it in quotes if it is meant as text)"),
        ("a: !!int x", "f:1:4: 'x' is not a !!int value (put it in quotes if it is meant as text)"),
        ("a: !!python/object:os.system x", "unknown tag '!!python/object:os.system': only plain values are read"),
        ("a: !!python/tuple [1]", "f:1:4: unknown tag '!!python/tuple': only plain values are read (take the tag out)"),
        ("a:\n\tb: 1", "f:2:1: a tab stands where YAML wants spaces (indent with spaces)"),
        ("a: b: c", "f:1:5: a second ': ' in one value"),
        ("a: @x", "f:1:4: unquoted text cannot begin with '@' (put the text in quotes)"),
        ("a: 'x\nb: 1\n", "the file ends inside a quoted text (close the quote)"),
        ("a: [1, 2\nb: 3\n", "a list that began with '[' is not closed, or lacks a comma"),
        ("a: {b: 2\n", "f:2:1: a bracket is not closed"),
        ("a: {b: [\n", "f:2:1: a bracket is not closed"),
        ("a: {b: c d: 2}\n", "lacks a comma (text that holds ': ' needs quotes)"),
        ("a: {b: 'c' d}\n", "f:1:12: a mapping that began with '{' is not closed, or lacks a comma"),
        ("a: {b: What now?}\n", "f:1:16: unquoted text between brackets cannot hold '?' (put the text in quotes)"),
        ("a: 1\n  b: 2\n", "f:2:4: a second ': ' in one value"),
        ("a:\n  - 1\n  b: 2\n", "f:3:3: this line does not fit the list above"),
        ("a: 1\n- b\n", "f:2:1: this line does not fit the lines above it"),
        ("a: 1\n---\nb: 2\n", "f:2:1: a second document begins here (keep one document in a file)"),
        ("a: *nobody", "f:1:4: *nobody refers to nothing"),
        ("a: &a [*a]", "f:1:8: *a refers to itself"),
        ("a: 1\nb: \x07", "f:2:4: the character U+0007 cannot stand in a YAML file"),
        ("? [1, 2]\n: 3", "f:1:3: a key must be text or a whole number (put it in quotes)"),
        ("true: 3", "f:1:1: a key must be text or a whole number (put it in quotes)"),
        ("<<: 3", "f:1:5: '<<' merges mappings only"),
        ("", "f: the file is empty"),
        ("# only a comment\n", "f: the file is empty"),
        ("---\n", "f: the file is empty"),
    ],
)
def test_what_is_not_plain_yaml_is_refused_at_its_place(text, message):
    """The message says what is wrong in the user's words, and where."""
    assert message in refusal(text)


def test_every_duplicate_key_is_an_error_that_names_the_first():
    """YAML keeps the last of duplicates, so the user would never learn that the first is ignored."""
    assert refusal("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n") == (
        "f:4:3: duplicate key 'c', first on line 3 (keep one of the two)\n"
        "f:5:1: duplicate key 'a', first on line 1 (keep one of the two)"
    )


def test_aliases_and_merges_work_and_keep_their_places():
    """A shared block is written once; what the mapping says itself wins over what it merges in."""
    text = "base: &base {a: 1, b: 2}\nuse:\n  <<: *base\n  b: 3\nagain: *base\n"
    document, problems = parse(text, "f.yaml")
    assert problems == []
    assert document.data["use"] == {"b": 3, "a": 1}
    assert document.data["again"] == {"a": 1, "b": 2}
    assert document.place(("use", "a")) == "f.yaml:1:17"
    assert document.place(("use", "b")) == "f.yaml:4:6"


def test_a_list_of_merges_takes_the_first_that_has_a_key():
    """The rule of YAML's merge type."""
    assert data_of("a: &a {x: 1}\nb: &b {x: 2, y: 3}\nc:\n  <<: [*a, *b]\n")["c"] == {"x": 1, "y": 3}


def test_an_alias_bomb_is_refused():
    """Nine lines that unfold into 10^9 values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "holds more than 100,000 values, its aliases (*name) expanded" in refusal("\n".join(lines))


def test_a_merge_bomb_is_refused():
    """Merges that double at each step and add no key would loop for years without a count of their own."""
    lines = ["a0: &a0 {x: 1}"] + [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 60)]
    assert "holds more than 100,000 values" in refusal("\n".join(lines))


@pytest.mark.parametrize(("form", "text"), [("yaml", "[" * 5000), ("json", "[" * 5000), ("yaml", "- " * 5000)])
def test_what_nests_too_deep_is_refused(form, text):
    """Far below where Python's own recursion would end in a traceback."""
    assert "nest more than 64 deep here" in refusal(text, form)


def test_json_is_read_as_json():
    """Tabs may indent it, and an escaped surrogate pair is one character: as YAML both would go wrong."""
    document, problems = parse('{\n\t"a": [1, 2.5e-3, true, null],\n\t"b": "\\ud83d\\ude00"}', "f.json", form="json")
    assert problems == []
    assert document.data == {"a": [1, 0.0025, True, None], "b": "😀"}
    assert document.place(("a", 1)) == "f.json:2:11"
    assert document.key_place(("b",)) == "f.json:3:2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1,}', "f:1:9: a key in double quotes is expected here"),
        ('{"a" 1}', "f:1:6: ':' is expected here"),
        ("[1 2]", "f:1:4: ',' or ']' is expected here"),
        ("[NaN]", "f:1:2: a JSON value is expected here"),
        ("[1.]", "f:1:2: a JSON value is expected here"),
        ('["a', "f:1:2: not JSON: unterminated string starting at"),
        ("1 2", "f:1:3: more text after the end of the JSON value"),
        ('{"a": 1,\n "a": 2}', "f:2:2: duplicate key 'a', first on line 1"),
        ("[1e999]", "f:1:2: 1e999 is too large for a number"),
        (" \n", "f: the file is empty"),
    ],
)
def test_what_is_not_json_is_refused_at_its_place(text, message):
    """The same promises as for YAML."""
    assert message in refusal(text, "json")


def test_a_file_is_named_in_its_places_as_the_user_named_it(tmp_path: Path, monkeypatch):
    """So that an editor can jump to it from where the command was run."""
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_bytes(b"\xef\xbb\xbfname: \xc3\xa9\r\nb: 1\r\n")  # a byte-order mark and DOS line ends
    document = load("c.yaml")
    assert (document.data, document.place(("b",))) == ({"name": "é", "b": 1}, "c.yaml:2:4")


def test_a_name_that_ends_in_json_is_read_as_json(tmp_path: Path):
    """The form follows the name."""
    (tmp_path / "a.json").write_text('{\t"a": 1}', "utf-8")
    assert load(tmp_path / "a.json").data == {"a": 1}


def test_files_that_cannot_be_read_are_named_with_a_remedy(tmp_path: Path, monkeypatch):
    """Missing, a folder, no text, too large: each says what to do, and raises the caller's own class of error."""
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text("a: 1", "utf-8")
    Path("folder").mkdir()
    Path("folder/x.yaml").write_text("a: 1", "utf-8")
    Path("latin.yaml").write_bytes("a: 1\nname: café\n".encode("latin-1"))
    Path("big.yaml").write_bytes(b"#" * 10_000_001)

    def said(name: str) -> str:
        with pytest.raises(RecipeError) as caught:
            load(name, error=RecipeError)
        return str(caught.value)

    assert said("recpie.yaml") == "recpie.yaml: no such file; did you mean 'recipe.yaml'?"
    assert said("zzz") == f"zzz: no such file; paths are relative to {str(tmp_path)!r}"
    assert said("nowhere/a.yaml") == "nowhere/a.yaml: no such file; there is no folder 'nowhere' either"
    assert said("folder") == "folder: this is a folder, and a file is wanted (did you mean 'folder/x.yaml'?)"
    assert said("latin.yaml") == "latin.yaml:2:10: byte 0xE9 is not UTF-8 text (save the file as UTF-8)"
    assert said("big.yaml") == (
        "big.yaml: the file is larger than 10 MB, and is not read "
        "(keep prompts and responses in files of data, and name those here)"
    )
    assert said("a\0b") == "a\0b: the file cannot be read: embedded null byte"


def test_read_gives_back_what_does_not_keep_one_from_reading_on(tmp_path: Path):
    """So that a duplicate key and an unknown one are reported together."""
    (tmp_path / "a.yaml").write_text("a: 1\na: 2\n", "utf-8")
    document, problems = read(tmp_path / "a.yaml")
    assert document == Document(str(tmp_path / "a.yaml"), {"a": 1}, document.values, document.keys)
    assert problems == [
        Problem(f"{tmp_path / 'a.yaml'}:2:1", "duplicate key 'a', first on line 1", "keep one of the two")
    ]
