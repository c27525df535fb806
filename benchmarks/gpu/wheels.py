"""Fills a folder with what a GPU machine without network lacks to run ``check.py``: ``make gpu-wheels``.

    python benchmarks/gpu/wheels.py build/gpu-wheels --python 3.12

Taken for granted there are torch, triton, transformers, peft, accelerate, safetensors and their needs, pyarrow, pandas,
aiohttp, jinja2, PyYAML, regex, rich and typer; ``--also NAME==VERSION`` adds what another machine lacks. Wheels lose
what is not used there: Unsloth's web application, and the kernels of bitsandbytes for other versions of CUDA.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
LARGEST = 48 * 2**20
"""Bytes of all wheels together."""
WHEELS = (
    "trl",
    "datasets",
    "dill",
    "multiprocess",
    "xxhash",
    "bitsandbytes",
    "unsloth",
    "unsloth_zoo",
    "cut_cross_entropy",
    "msgspec",
    # of solon itself
    "pydantic",
    "annotated-types",
    "typing-inspection",
    "jsonschema",
    "jsonschema-specifications",
    "referencing",
    "rpds-py",
)
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_24_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
UNUSED = ("studio/", "unsloth_cli/")


def fill(folder: Path, *, python: str, cuda: tuple[str, ...], also: tuple[str, ...] = ()) -> dict[str, int]:
    """Downloads and slims; returns the bytes of each wheel, by its name.

    Args:
        folder: made here; what is in it of an earlier time is removed.
        python: version of Python there, as ``3.12``.
        cuda: versions of CUDA whose kernels are kept, as ``130``.
        also: more requirements.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.whl"):
        old.unlink()
    _download([*WHEELS, *also, _exactly("pydantic-core", "pydantic")], folder, python)
    for wheel in folder.glob("*.whl"):
        slim(wheel, cuda)
    return {wheel.name: wheel.stat().st_size for wheel in sorted(folder.glob("*.whl"))}


def _download(wanted: list[str], folder: Path, python: str) -> None:
    platforms = [option for platform in PLATFORMS for option in ("--platform", platform)]
    for_there = ["--only-binary", ":all:", "--python-version", python, "--implementation", "cp", *platforms]
    constraints = ["-c", str(ROOT / "constraints.txt")]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *for_there, *constraints]
    subprocess.run([*command, "-d", str(folder), *wanted], check=True)


def _exactly(package: str, of: str) -> str:
    """The version of ``package`` that the installed ``of`` asks for: it takes no other."""
    from importlib.metadata import requires

    return next(line for line in requires(of) or () if line.replace("_", "-").startswith(f"{package}=="))


def slim(wheel: Path, cuda: tuple[str, ...]) -> None:
    """Writes a wheel again without what is not used, its list of files included."""
    kept = wheel.with_suffix(".part")
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new:
        for item in old.infolist():
            if item.is_dir() or not _used(item.filename, cuda):
                continue
            data = old.read(item)
            if item.filename.endswith(".dist-info/RECORD"):
                lines = data.decode().splitlines(keepends=True)
                data = "".join(line for line in lines if _used(line.rsplit(",", 2)[0], cuda)).encode()
            new.writestr(item, data, zipfile.ZIP_DEFLATED, 9)
    kept.replace(wheel)


def _used(name: str, cuda: tuple[str, ...]) -> bool:
    if name.startswith("bitsandbytes/libbitsandbytes_"):
        return name.removeprefix("bitsandbytes/libbitsandbytes_").split(".")[0] in (
            "cpu",
            *(f"cuda{each}" for each in cuda),
        )
    return not name.startswith(UNUSED)


def main() -> int:
    """Prints the sizes; 1 when they are more than fits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    here = ".".join(map(str, sys.version_info[:2]))
    parser.add_argument("--python", default=here, help=f"version of Python there; here it is {here}")
    parser.add_argument("--cuda", nargs="+", default=["130"], help="versions of CUDA of torch there, as 130 for 13.0")
    parser.add_argument("--also", nargs="*", default=[], help="what else is missing there")
    given = parser.parse_args()
    sizes = fill(given.folder, python=given.python, cuda=tuple(given.cuda), also=tuple(given.also))
    for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
        print(f"{size / 2**20:7.2f} MiB  {name}")
    whole = sum(sizes.values())
    print(f"{whole / 2**20:7.2f} MiB  in {given.folder}, of {LARGEST / 2**20:.0f} that it may have")
    return int(whole > LARGEST)


if __name__ == "__main__":
    sys.exit(main())
