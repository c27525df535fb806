"""The numbers of system calls, held against the kernel's own headers where they are installed."""

import re
from pathlib import Path

import pytest

from solon.sandbox.inside import syscalls

HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("machine", sorted(HEADERS))
def test_each_number_is_the_kernels(machine: str) -> None:
    """A wrong one would allow another call."""
    if not HEADERS[machine].exists():
        pytest.skip(f"{HEADERS[machine]} is not installed")
    text = HEADERS[machine].read_text()
    kernel = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
    kernel |= {
        name: kernel[other]
        for name, other in re.findall(r"#define __NR_(\w+)\s+__NR3264_(\w+)", text)
        if name not in kernel and other in kernel
    }
    ours = syscalls._numbers(machine)
    assert ours == {name: kernel[name] for name in ours}
    # and what does not exist there is not in the header either
    other = syscalls._numbers("x86_64" if machine == "aarch64" else "aarch64")
    assert not (other.keys() - ours.keys()) & kernel.keys()
