"""``solon init``: copies the quickstart, a project that runs anywhere, into a folder of the user's own."""

from __future__ import annotations

import shutil
from pathlib import Path

from solon.errors import DataError

FILES = ("recipe.yaml", "constitution.yaml", "prompts.jsonl", "held_out.jsonl", "models")


def template_folder() -> Path:
    """The quickstart as it was installed: inside the package, or in ``examples/`` of a checkout."""
    package = Path(__file__).parent
    for folder in (package / "templates" / "quickstart", package.parents[1] / "examples" / "quickstart"):
        if (folder / "recipe.yaml").is_file():
            return folder
    raise DataError("the quickstart is not part of this installation; reinstall solon")


README = """# {name}

A language model that learns to live by `constitution.yaml`. The models in `models/` are tiny, so all of this runs on a
CPU in about a minute:

    solon constitution check constitution.yaml
    solon check recipe.yaml      # every problem at once, nothing spent
    solon plan recipe.yaml       # what it would cost
    solon run recipe.yaml        # constitution to report

Then make it yours:

- change a principle in `constitution.yaml` and run again: the completions are kept, all else is done again;
- put your own prompts into `prompts.jsonl` and `held_out.jsonl`, one JSON object a line: `{{"prompt": "..."}}`;
- take a real judge in `recipe.yaml`: `judge: {{kind: endpoint, base_url: "http://localhost:8000/v1", model: ...}}`;
- take a real model, on a GPU: `policy: {{model: meta-llama/Llama-3.1-8B-Instruct}}`, and `lora: {{r: 16}}` in `train`.
  Then take out `learning_rate` and `max_tokens`, which suit tiny models, and lower both `batch_size`.
"""


def create(folder: Path) -> None:
    """Writes a new project.

    Raises:
        DataError: the folder exists and is not empty; nothing is overwritten.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} is there already and not empty; choose a new folder (nothing was changed)")
    source = template_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        path = source / name
        if path.is_dir():
            shutil.copytree(path, folder / name)
        else:
            shutil.copyfile(path, folder / name)
    recipe = folder / "recipe.yaml"
    recipe.write_text(recipe.read_text("utf-8").replace("examples/quickstart/recipe.yaml", "recipe.yaml"), "utf-8")
    (folder / "README.md").write_text(README.format(name=folder.absolute().name), "utf-8")
    (folder / ".gitignore").write_text("runs/\n.solon/\n", "utf-8")
