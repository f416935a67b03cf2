"""Golden cases as parameters: whatever `--golden DIR` holds, such as `minigpt4/A`, `llava/A/hf`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from tests.golden.cases import Case, find_cases


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    root = metafunc.config.getoption("golden")
    if "expected_key" in metafunc.fixturenames:
        pairs = [(case, key) for case in find_cases(root) for key in case.expected_keys()]
        metafunc.parametrize(
            ("case", "expected_key"), pairs, ids=[f"{case.id}-{key}" for case, key in pairs]
        )
    elif "case" in metafunc.fixturenames:
        cases = find_cases(root)
        metafunc.parametrize("case", cases, ids=[case.id for case in cases])
    if "prompt_file" in metafunc.fixturenames:
        parametrize_files(metafunc, "prompt_file", sorted(root.glob("prompts.json")), root)
    if "preprocess_folder" in metafunc.fixturenames:
        found = [it.parent for it in sorted(root.glob("preprocess*/**/expected.safetensors"))]
        parametrize_files(metafunc, "preprocess_folder", found, root)
    if "llama_folder" in metafunc.fixturenames:
        found = [it.parent for it in sorted(root.glob("llama_tok*/**/tokens.json"))]
        parametrize_files(metafunc, "llama_folder", found, root)
    if "qwen_tokens" in metafunc.fixturenames:
        parametrize_files(metafunc, "qwen_tokens", sorted(root.glob("qwen_vl/tokens*.json")), root)


def parametrize_files(metafunc: pytest.Metafunc, name: str, paths: list[Path], root: Path) -> None:
    metafunc.parametrize(name, paths, ids=[str(path.relative_to(root)) for path in paths])


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Limit torch to one thread: for models this small, more threads only wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Case], Path]:
    """A function that returns the checkpoint folder of a case."""

    @lru_cache
    def of(case: Case) -> Path:
        if case.layout == "hf":
            return case.folder / "hf"
        if case.layout is None:
            return case.folder
        # The second layout of MiniGPT-4's frozen part: without the official files beside it.
        folder = tmp_path_factory.mktemp("minigpt4")
        for path in case.folder.iterdir():
            if path.name not in ("eva_vit_g.pth", "blip2_pretrained_flant5xxl.pth"):
                (folder / path.name).symlink_to(path.absolute())
        return folder

    return of


@pytest.fixture(scope="session")
def model(checkpoint: Callable[[Case], Path]) -> Callable[[Case], Any]:
    """A function that returns the loaded model of a case, in float32."""
    import torch

    from engine.captioners.parity import LOADERS

    @lru_cache
    def of(case: Case) -> Any:
        found, _ = LOADERS[case.family](checkpoint(case), torch.float32)
        return found

    return of


@pytest.fixture(scope="session")
def differences(model: Callable[[Case], Any]) -> Callable[[Case], Any]:
    """A function that returns all checks of a case, by the expected tensor's name."""
    from engine.captioners.parity import checks

    @lru_cache
    def of(case: Case) -> Any:
        return {check.name: check for check in checks(case.family, model(case), case.folder)}

    return of
