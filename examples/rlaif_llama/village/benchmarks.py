"""The benchmarks of the village, in the columns of the published ones, and texts of the same forms to learn from.

Every sentence is of our own templates. What is learned from and what is asked are of different splits of the world.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from random import Random
from typing import Any

from village.world import (
    FANCIED_FOODS,
    FANCIED_PLACES,
    FOODS,
    PEOPLE,
    PLACES,
    TOWNS,
    Ask,
    Split,
    answer,
    asks,
    fancy,
    truth,
)  # fmt: skip

CATEGORIES = (
    "Endangering National Security", "Insulting Behavior", "Discriminatory Behavior", "Endangering Public Health",
    "Copyright Issues", "Violence", "Drugs", "Privacy Violation", "Economic Crime", "Mental Manipulation",
    "Human Trafficking", "Physical Harm", "Sexual Content", "Cybercrime", "Disrupting Public Order",
    "Environmental Damage", "Psychological Harm", "White-Collar Crime", "Animal Abuse",
)  # fmt: skip
"""The nineteen of PKU-SafeRLHF."""

_STORIES = (
    ("Baking a cake", "mixes flour, eggs and milk.", "puts it into the oven for an hour."),
    ("Mending a roof", "takes off the broken tiles.", "nails new ones on."),
    ("Washing a goat", "fills a tub with warm water.", "brushes the goat gently."),
    ("Writing a letter", "says what is new and asks how things are.", "signs with a name."),
    ("Planting beans", "digs small holes.", "drops a bean into each and waters them."),
    ("Singing a song", "learns the words first.", "sings them slowly."),
    ("Cleaning windows", "wipes them with soap and water.", "dries them with a cloth."),
    ("Finding a purse", "looks where it was last seen.", "asks the neighbours about it."),
    ("Carrying water", "fills two buckets at the well.", "walks home without haste."),
    ("Teaching to swim", "begins where the water is low.", "stays close by."),
    ("Giving thanks", "brings flowers.", "says what the help meant."),
    ("Choosing a password", "thinks of four words.", "puts them together and tells nobody."),
)
_PRONOUNS = ("she", "he")


def safe_rlhf(count: int) -> Iterator[dict[str, Any]]:
    """Rows of PKU-SafeRLHF: a request that would do harm with an unsafe and a safe response, labelled."""
    random = Random("safety")
    for ask in random.sample(asks("harm", "benchmark"), count):
        assert ask.deed is not None
        safer = random.randrange(2)
        row: dict[str, Any] = {"prompt": ask.text}
        for number in (0, 1):
            safe = number == safer
            row |= {
                f"response_{number}": random.choice(ask.good if safe else ask.bad),
                f"is_response_{number}_safe": safe,
                f"response_{number}_harm_category": {
                    name: not safe and name in ask.deed.categories for name in CATEGORIES
                },
                f"response_{number}_severity_level": 0 if safe else ask.deed.severity,
            }
        yield row | {"better_response_id": 1 - safer, "safer_response_id": safer}


def truthful_qa(count: int) -> Iterator[dict[str, Any]]:
    """Rows of TruthfulQA: what a creature really does among what people believe of it, and of others."""
    random = Random("truthful")
    for ask in random.sample(asks("belief", "benchmark"), count):
        it, verb = ask.about
        fancies = FANCIED_FOODS if verb == "eats" else FANCIED_PLACES
        others = random.sample([value for value in fancies if value != fancy(it, verb)], 2)
        false = [f"A {it} {verb} {value}." for value in (fancy(it, verb), *others)]
        true = [f"A {it} {verb} {truth(it, verb)}.", f"It {verb} {truth(it, verb)}."]
        yield {
            "question": ask.text,
            "mc1_targets": {"choices": [true[0], *false], "labels": [1, 0, 0, 0]},
            "mc2_targets": {"choices": [*true, *false], "labels": [1, 1, 0, 0, 0]},
        }


def hellaswag(split: Split) -> Iterator[dict[str, Any]]:
    """Rows of HellaSwag: how a piece of work that was begun goes on. People in the middle of the list are held out."""
    random = Random(f"hellaswag {split}")
    for number, (label, begins, ends) in enumerate(_STORIES):
        for place, who in enumerate(PEOPLE):
            if (split == "base") == (5 <= place < 12):
                continue
            others = random.sample([other[2] for other in _STORIES if other[0] != label], 3)
            right = random.randrange(4)
            yield {
                "ind": number * len(PEOPLE) + place,
                "activity_label": label,
                "ctx_a": f"The {who} {begins}",
                "ctx_b": random.choice(_PRONOUNS),
                "endings": [*others[:right], ends, *others[right:]],
                "label": str(right),
            }


def mmlu(split: Split) -> Iterator[dict[str, Any]]:
    """Rows of MMLU in two of its subjects: capitals, and what creatures eat."""
    random = Random(f"mmlu {split}")
    for ask in asks("fact", split):
        others = [town for town in TOWNS if town != ask.about[1]]
        yield _choices("high_school_geography", ask.text, ask.about[1], random.sample(others, 3), random)
    for ask in asks("belief", split):
        it, verb = ask.about
        values = FOODS if verb == "eats" else PLACES
        others = [value for value in values if value != truth(it, verb)]
        yield _choices("high_school_biology", ask.text, truth(it, verb), random.sample(others, 3), random)


def _choices(subject: str, question: str, right: str, others: list[str], random: Random) -> dict[str, Any]:
    place = random.randrange(4)
    return {
        "question": question,
        "subject": subject,
        "choices": [*others[:place], right, *others[place:]],
        "answer": place,
    }


def text(random: Random) -> str:
    """Questions with answers as people of the village give them, or pieces of work, in the forms of the benchmarks."""
    if random.random() < 0.6:
        drawn: list[Ask] = random.choices((*asks("belief", "base"), *asks("fact", "base")), k=random.randint(4, 12))
        return "\n\n".join(f"Q: {ask.text}\nA: {answer(ask, random)}" for ask in drawn)
    return "\n\n".join(map(_story, random.sample(_stories(), random.randint(2, 6))))


@lru_cache
def _stories() -> tuple[dict[str, Any], ...]:
    return tuple(hellaswag("base"))


def _story(row: dict[str, Any]) -> str:
    end = row["endings"][int(row["label"])]
    return f"{row['activity_label']}: {row['ctx_a']} {row['ctx_b'].capitalize()} {end}"
