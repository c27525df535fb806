"""A real Chromium, headless and local, driven over its DevTools protocol: what a page does when somebody opens it.

It has no network to speak of: tests open files, and note every request that a page makes.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

FOUND = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
needed = pytest.mark.skipif(FOUND is None, reason="no Chromium is installed here")
_OPTIONS = (
    "--headless=new", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--remote-debugging-port=0", "--disable-dev-shm-usage",
)  # fmt: skip


@dataclass
class Tab:
    """An open page, with all that it did.

    Attributes:
        told: messages on the console, exceptions and violations of the content security policy.
        requests: the addresses that it asked for, its own among them.
        dialogs: what an alert or a prompt said; each was closed at once.
    """

    socket: aiohttp.ClientWebSocketResponse
    session: str = ""
    told: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    _number: int = 0
    _seen: set[str] = field(default_factory=set)

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command and its result. Events that come before it are noted."""
        self._number += 1
        mine = self._number
        await self._send(mine, method, params)
        while True:
            message = await self.socket.receive_json()
            if message.get("id") == mine:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return dict(message["result"])
            await self._note(message)

    async def _send(self, number: int, method: str, params: dict[str, Any]) -> None:
        where = {"sessionId": self.session} if self.session else {}
        await self.socket.send_json({"id": number, "method": method, "params": params, **where})

    async def _note(self, message: dict[str, Any]) -> None:
        about = message.get("params", {})
        match message.get("method", ""):
            case "Runtime.consoleAPICalled":
                self.told.append(" ".join(str(each.get("value", each)) for each in about["args"]))
            case "Runtime.exceptionThrown":
                self.told.append(str(about["exceptionDetails"]))
            case "Log.entryAdded":
                self.told.append(about["entry"]["text"])
            case "Network.requestWillBeSent":
                self.requests.append(about["request"]["url"])
            case "Page.javascriptDialogOpening":
                self.dialogs.append(about["message"])
                self._number += 1
                await self._send(self._number, "Page.handleJavaScriptDialog", {"accept": True})
            case event:
                self._seen.add(event)

    async def open(self, address: str) -> None:
        """Opens a page and waits until it has been loaded."""
        self._seen.discard("Page.loadEventFired")
        await self.call("Page.navigate", url=address)
        while "Page.loadEventFired" not in self._seen:
            await self._note(await self.socket.receive_json())

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page, as JSON."""
        found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    async def press(self, key: str, code: int) -> None:
        """A key of the keyboard, down and up."""
        for kind in ("rawKeyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    async def window(self, width: int, height: int, **media: str) -> None:
        """As wide and high as somebody's screen. ``media`` are features such as ``prefers_color_scheme``."""
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        await self.call("Emulation.setEmulatedMedia", features=features)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        await self.call("Emulation.setDeviceMetricsOverride", **size)

    async def shot(self, top: int, width: int, height: int) -> bytes:
        """A picture of a part of the page, as PNG."""
        clip = {"x": 0, "y": top, "width": width, "height": height, "scale": 1}
        found = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(found["data"])


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Tab]:
    """An empty tab of a browser of its own, which is gone when the block ends."""
    assert FOUND is not None
    folder = tempfile.mkdtemp(prefix="chromium-")
    options = [*_OPTIONS, f"--user-data-dir={folder}", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    quiet = asyncio.subprocess.DEVNULL
    browser = await asyncio.create_subprocess_exec(FOUND, *options, "about:blank", stdout=quiet, stderr=quiet)
    try:
        address = await asyncio.wait_for(_address(Path(folder) / "DevToolsActivePort", browser), 60)
        async with (
            aiohttp.ClientSession(trust_env=False) as client,
            client.ws_connect(address, max_msg_size=0) as socket,
        ):
            tab = Tab(socket)
            target = (await tab.call("Target.createTarget", url="about:blank"))["targetId"]
            tab.session = (await tab.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                await tab.call(f"{domain}.enable")
            yield tab
    finally:
        with contextlib.suppress(ProcessLookupError):
            browser.kill()
        await browser.wait()
        shutil.rmtree(folder, ignore_errors=True)


async def _address(port_file: Path, browser: asyncio.subprocess.Process) -> str:
    """Where the browser listens, which it writes down when it does."""
    while browser.returncode is None:
        if len(lines := _lines(port_file)) > 1:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        await asyncio.sleep(0.05)
    raise RuntimeError(f"Chromium ended with {browser.returncode} before it listened")


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []
