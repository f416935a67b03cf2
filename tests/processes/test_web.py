"""The application in a browser: who gets it, and that it is the same one."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from tests.support import canned_projects
from tests.support.cli import cli, start_cli
from tests.support.waiting import wait_for

aiohttp = pytest.importorskip("aiohttp", reason="needs the extra web")

HOSTILE = "run $(touch x); 'a' \"b\" <img src=x>"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
SECONDS = 60
"""The longest that a browser waits for the application."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("web") / HOSTILE
    return canned_projects.copy_canned_project(folder, "create").folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = start_cli("web", folder)
    yield process
    process.terminate()
    process.wait()


@pytest.fixture(scope="module")
def address(server: subprocess.Popen[str]) -> str:
    """The address of a server, with the token; it answers."""
    return printed_address(server)


def printed_address(server: subprocess.Popen[str]) -> str:
    """Return the address that a server prints, once it answers."""
    assert server.stdout is not None
    output = "".join(server.stdout.readline() for _ in range(5))
    match = re.search(r"(http://127\.0\.0\.1:(\d+)/\?token=[\w-]{32})\n", output)
    assert match is not None, output
    address, port = match.groups()
    assert f"ssh -N -L {port}:127.0.0.1:{port} " in output
    wait_for(lambda: answers(address))
    return address


def answers(address: str) -> bool:
    try:
        return httpx2.get(address).status_code == 200
    except httpx2.ConnectError:
        return False


def test_only_the_token_opens_it_and_only_from_its_own_page(address: str) -> None:
    root, _, token = address.partition("/?token=")
    cookie = cookie_of(address)
    paths = ("/", "/ws", "/static/js/textual.js", "/static/", "/download/x", "/nowhere")
    visits: tuple[dict[str, str], ...] = (
        {},
        {"Cookie": f"mllmaug-tui-{root.rpartition(':')[2]}=wrong"},
        {"Host": "evil.example", "Cookie": cookie},
        {"Origin": "http://evil.example", "Cookie": cookie},
    )
    with httpx2.Client() as client:
        for path, headers in product(paths, visits):
            assert client.get(f"{root}{path}", headers=headers).status_code == 403, (path, headers)
    assert httpx2.get(f"{root}/?token={token}x").status_code == 403
    answer = httpx2.get(address)
    assert "<img" not in answer.text
    assert '.xterm-helper-textarea")?.focus())</script></body>' in answer.text
    assert "HttpOnly; " in f"{answer.headers['Set-Cookie']}; "
    assert "SameSite=Strict" in answer.headers["Set-Cookie"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    script = httpx2.get(f"{root}/static/js/textual.js", headers={"Cookie": cookie})
    assert script.status_code == 200


def cookie_of(address: str) -> str:
    return httpx2.get(address).headers["Set-Cookie"].partition(";")[0]


def with_websocket(
    address: str, headers: dict[str, str], use: Callable[[Any], Awaitable[None]]
) -> None:
    """Open the websocket of the application and use it."""

    async def connect() -> None:
        url = f"{address.partition('/?')[0]}/ws?width=120&height=36"
        async with (
            asyncio.timeout(SECONDS),
            aiohttp.ClientSession() as session,
            session.ws_connect(url, headers=headers) as websocket,
        ):
            await use(websocket)

    asyncio.run(connect())


async def read_until(websocket: Any, text: bytes) -> None:
    """Read what the application draws until a text is in it, whatever its colours."""
    drawn = b""
    while text not in re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", drawn):
        drawn += (await websocket.receive()).data


def test_the_websocket_shows_the_application_read_only_and_ends_it(
    address: str, server: subprocess.Popen[str], folder: Path
) -> None:
    for headers in ({}, {"Cookie": cookie_of(address), "Origin": "http://evil.example"}):
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            with_websocket(address, headers, read_nothing)

    async def press_run(websocket: Any) -> None:
        await read_until(websocket, b"Devices")
        await websocket.send_json(["stdin", "p"])
        await read_until(websocket, b"--readonly")
        await websocket.send_json(["stdin", "O"])
        await read_until(websocket, b"this page shows one project")

    with_websocket(address, {"Cookie": cookie_of(address)}, press_run)
    children = psutil.Process(server.pid).children
    wait_for(lambda: not children(recursive=True))  # the application has ended with its page
    assert not list(folder.parent.glob("x"))
    assert not Path("x").exists()


async def read_nothing(_: object) -> None: ...


def test_an_application_ends_with_its_server(folder: Path) -> None:
    process = start_cli("web", folder, "--port", free_port())
    address = printed_address(process)
    left: list[psutil.Process] = []

    async def kill_server(websocket: Any) -> None:
        await read_until(websocket, b"Devices")
        left.extend(psutil.Process(process.pid).children(recursive=True))
        process.kill()

    with_websocket(address, {"Cookie": cookie_of(address)}, kill_server)
    process.wait()
    assert left
    wait_for(lambda: not any(is_alive(child) for child in left))


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def free_port() -> int:
    from tui.web.server import bind_to

    with bind_to(0) as bound:
        port: int = bound.getsockname()[1]
        return port


def test_a_port_in_use_and_contrary_options(folder: Path) -> None:
    from tui.web.server import bind_to

    with bind_to(0) as bound:
        bound.listen()
        port = bound.getsockname()[1]
        refused = cli("web", folder, "--port", port)
        assert (refused.returncode, f"port {port} cannot be used" in refused.stderr) == (2, True)
    assert "give one of them" in cli("--readonly", "web", folder, "--allow-changes").stderr
    assert cli("web", folder / "nothing").returncode == 2


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium or Chrome on PATH")
def test_chromium_shows_it(address: str) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 700})
        foreign: list[str] = []
        page.on("request", lambda request: foreign.append(request.url))
        with page.expect_websocket() as opened:
            page.goto(address)
        page.wait_for_selector("body.-first-byte", timeout=1000 * SECONDS)
        page.wait_for_selector(".xterm-screen", timeout=1000 * SECONDS)
        with opened.value.expect_event("framesent", lambda frame: frame == '["stdin","p"]'):
            page.keyboard.press("p")  # without a click before
        assert page.context.cookies()[0]["httpOnly"]
        root = address.partition("/?")[0]
        loaded = [url for url in foreign if not url.startswith((root, root.replace("http", "ws")))]
        assert all("fonts.googleapis.com" in url for url in loaded)  # asked for, and blocked
        browser.close()
