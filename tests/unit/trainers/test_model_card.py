"""The model card that lies beside the weights."""

import yaml

from solon.data.records import Checkpoint
from solon.trainers.card import model_card


def card(*, base_model, form, on_hub):
    """A card with all else fixed."""
    return model_card(
        Checkpoint(
            path=".",
            base_model=base_model,
            form=form,
            trainer="dpo",
            dataset="0123456789abcdef",
            metrics={"loss": 1 / 3},
        ),
        on_hub=on_hub,
        settings={"kind": "dpo", "beta": 0.1, "lora": None},
        rows={"train": 90, "test": 10},
        seed=7,
        versions={"torch": "2.13.0"},
    )


def front_matter(text):
    """The YAML between the first two lines of dashes."""
    return yaml.safe_load(text.split("---\n")[1])


def test_a_base_from_the_hub_is_named_where_hubs_look_for_it():
    """So that the hub links the model to what it came from."""
    assert front_matter(card(base_model="org/name", form="lora", on_hub=True)) == {
        "base_model": "org/name",
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "tags": ["solon", "dpo", "lora"],
    }


def test_a_base_in_a_folder_is_named_by_its_last_part_only():
    """Where it lay on somebody's machine is nobody's business, and changes the bytes."""
    text = card(base_model="/home/me/models/policy", form="full", on_hub=False)
    assert "/home" not in text
    assert "base_model" not in front_matter(text)
    assert front_matter(text)["library_name"] == "transformers"
    assert "The base is `policy`; this folder holds all of its weights." in text


def test_it_says_what_the_model_was_trained_with():
    """Settings, data, seed, versions, and how it ended."""
    text = card(base_model="org/name", form="full", on_hub=True)
    assert "Dataset `0123456789abcdef` (90 train, 10 test rows), seed 7, torch 2.13.0." in text
    assert "| beta | 0.1 |" in text
    assert "| lora | null |" in text
    assert "| loss | 0.3333 |" in text
