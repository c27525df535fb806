"""Numbers in running text: read exactly, or not at all."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solon.labelers.math_text import last_boxed
from solon.labelers.numbers import Number, Unreadable, as_number, last_number, only_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(
            (form, 1000)
            for form in ("1,000", "1e3", "1E+3", "10^3", "10³", "1{,}000", r"1\,000", "1\u00a0000", "1 thousand")
        ),
        *((form, "1/2") for form in ("0.5", ".5", "1/2", "1 / 2", "½", r"\frac{1}{2}", r"\dfrac12", "0.50", "5e-1")),
        *((form, "3/2") for form in ("1.5", "1 1/2", "1½", "3/2", "1.5 apples")),
        *((form, -5) for form in ("-5", "−5", "–5", "-$5", "$-5", "x = -5", "x = - 5", "(- 5)", "-5.0")),
        *((form, 1500) for form in ("1.5 × 10^3", r"1.5\times 10^{3}", "1.5 x 10^3", "1.5·10³", "$1,500.00")),
        *((form, 50) for form in ("50 %", r"50\%", "50%", "50 percent", "50 per cent", "50％")),
        *(
            (form, 5)
            for form in ("It is 5.", "**5**", "5km", "5 km", "5 m^2", "5 m²", "answer:5", "5!", r"\boxed{5}", r"\(5\)")
        ),
        *(
            (form, 5)
            for form in ("<answer>5</answer>", "$5/hour", "5-year", "5°C", "€5", "5 (five)", "'5'", "is—5", "5th")
        ),
        *(
            (form, 5)
            for form in ("2 + 3 = 5", "* 5 apples", "- 5 apples", "1) 5", "so...5", r"x \approx 5", r"5\text{ cm}")
        ),
        ("#### 72", 72),
        ("٤٢", 42),
        ("007", 7),
        ("3 million", 3_000_000),
        ("1.5×10⁻³", "3/2000"),
        (r"45^\circ", 45),
    ],
)
def test_one_value_in_many_ways_to_write_it(text: str, value: int | str) -> None:
    """What a number is worth does not depend on how it is written or on what stands around it."""
    found = last_number(text)
    assert isinstance(found, Number)
    assert found.value == Fraction(value)


@pytest.mark.parametrize(
    "text",
    [
        *("3,5", "1,0000", "1,000,00", "1 000", "1 000 000", "1_000"),
        *("1.2.3", "12:30", "5/10/2024", "3-5", "10 -5", "(3,5)", "5'11"),
        *("2^10", "2**10", "5x", "5π", r"2\pi", r"2 \pi", r"5\sqrt{2}", r"\sqrt{2}", "sqrt(2)", "5(3)", r"\frac{x}{2}"),
        *("3 + 5", "3 - 5", "3 × 5", "3 x 5", "5 * x", "5k", "5bn", "0x1F", "5/0", "1e99999", "9" * 1001),
    ],
)
def test_digits_that_are_part_of_something_bigger_are_no_number(text: str) -> None:
    """Neither is what stands before them: the answer is there, and cannot be read."""
    assert isinstance(last_number(f"7 and then: {text}"), Unreadable)


@pytest.mark.parametrize("text", ["none", "CO2", "GPT-4", "x_5", "m^2", "x^{10}", "covid-19", r"\alpha_2", ""])
def test_digits_in_a_word_or_a_unit_are_not_looked_at(text: str) -> None:
    """A response without a number gives none."""
    assert last_number(text) is None


DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=4)


@given(DECIMALS, st.sampled_from(["{}", "It is {}.", "x = {}", "({})", "${}$", "**{}**", "{} apples", "\\boxed{{{}}}"]))
def test_every_decimal_is_read_as_itself(number: Decimal, around: str) -> None:
    """With and without commas between thousands, whatever stands around it."""
    for written in (f"{number:f}", f"{number:,f}", f"{number:e}"):
        found = only_number(around.format(written))
        assert isinstance(found, Number)
        assert found.value == Fraction(number)


@given(st.integers(-999, 999), st.integers(1, 999))
def test_every_fraction_is_read_as_itself(numerator: int, denominator: int) -> None:
    """Plain, and as LaTeX writes it."""
    for written in (f"{numerator}/{denominator}", rf"\frac{{{numerator}}}{{{denominator}}}"):
        found = only_number(written)
        assert isinstance(found, Number)
        assert found.value == Fraction(numerator, denominator)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from([".", ",", ":", "-", "^", "_", "*", "'", "x"]))
def test_no_part_of_a_longer_run_is_taken_for_the_number(left: int, right: int, between: str) -> None:
    """3.5 is not 5: what is read from the run is the whole of it, or nothing."""
    found = last_number(f"{left}{between}{right}")
    if isinstance(found, Number):
        assert between in ".,"
        assert found.value == Fraction(f"{left}{between}{right}".replace(",", ""))


@given(st.text(max_size=60))
def test_any_text_is_read_without_an_error(text: str) -> None:
    """Responses are not written for us."""
    last_number(text)
    only_number(text)
    as_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "^" + " " * 50_000,
        "1," * 50_000,
        r"\text{" * 20_000,
        "-" * 50_000 + "5",
        "a^" * 50_000,
        "\v" * 300_000,
        "^" + r"\quad" * 200_000,
        r"\sqrt" + r"\quad" * 200_000,
    ],
)
def test_a_long_hostile_text_takes_no_longer_than_its_length(text: str) -> None:
    """The square of it would be minutes, which the limit on a test ends."""
    last_number(text)


@pytest.mark.parametrize(
    ("text", "boxed"),
    [
        (r"so \boxed{5}", "5"),
        (r"\boxed{1} then \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{5", None),
        ("5", None),
    ],
)
def test_the_last_box_holds_the_answer(text: str, boxed: str | None) -> None:
    """One that is cut off holds nothing."""
    assert last_boxed(text) == boxed


@pytest.mark.parametrize("text", ["5 cm", "x = 5", "5, 6", "(5", "5 or so"])
def test_a_text_with_more_than_a_number_is_not_a_number(text: str) -> None:
    """It may be worth something else as an expression."""
    assert as_number(text) is None
