"""The settings by which open models are asked: as text, as they are stored, and in the hash."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from engine.captioners.model_choice import change_model, choose, choose_all
from engine.captioners.model_families import ASKING_SETTINGS, FAMILIES
from engine.captioners.setting_changes import apply_changes
from engine.captioners.settings import Settings, check_settings
from engine.captioners.settings_hash import settings_hash
from engine.captioners.stated_settings import PIXELS
from engine.utils.errors import BadInput
from tests.support.cli import cli

QWEN = {"image_processor_type": "Qwen2VLImageProcessorFast", "max_pixels": 12_845_056}
THINKING = "{% if enable_thinking %}<think>{% endif %}"
Files = Mapping[str, Any]
Write = Callable[[Files], Path]


@pytest.fixture
def folder(tmp_path: Path) -> Write:
    """Return a function that writes a folder that has the files of a checkpoint."""

    def write(files: Files) -> Path:
        path = tmp_path / f"checkpoint-{len(list(tmp_path.iterdir()))}"
        path.mkdir()
        needed = {
            "config.json": {"model_type": "qwen2_5_vl"},
            "tokenizer.json": {},
            "preprocessor_config.json": {},
            "model.safetensors": {},
        }
        for name, content in (needed | dict(files)).items():
            text = content if isinstance(content, str) else json.dumps(content)
            (path / name).write_text(text)
        return path

    return write


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_pixels": "0"}, "max_pixels must be a whole number from 1 to .*, or none for the ch"),
        ({"max_pixels": "9", "min_pixels": "10"}, "min_pixels 10 is above max_pixels 9"),
        ({"max_tiles": "many"}, "max_tiles must be a whole number from 1 to 1024, or none"),
        ({"repetition_penalty": "0"}, "repetition_penalty must be a number above 0 and up to 10"),
        ({"repetition_penalty": "nan"}, "repetition_penalty must be a number"),
        (
            {"prompts": "What?"},
            r'prompts must be a JSON list of texts such as \["one", "two"\], or',
        ),
        ({"prompts": "[]"}, "prompts must be a JSON list"),
        ({"strip": '["a", 1]'}, "strip must be a JSON list of texts"),
        ({"strip": '["..."]'}, "none of which begins with a blank or is dots alone"),
        ({"strip": '["The", "....."]'}, "is dots alone"),
        ({"strip": '[" The"]'}, "begins with a blank"),
        ({"template": "[1]"}, "template must be a JSON object of variables"),
        ({"template.messages": "1"}, "setting cannot give the variable 'messages'"),
        ({"template.a b": "1"}, "setting cannot give the variable 'a b'"),
        ({"keep_prefill": "maybe"}, "keep_prefill must be yes or no"),
    ],
)
def test_settings_that_cannot_be(changes: Mapping[str, str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        apply_changes(Settings(), changes)


@pytest.mark.parametrize("setting", ["system", "prefill"])
def test_texts_of_records_are_put_into_prompts_alone(setting: str) -> None:
    with pytest.raises(BadInput, match=rf"{setting} holds {{caption}}, .* or write {{ caption }}"):
        choose("m=http://h/v1", None, {setting: "About {caption}"})
    for text in ("{{caption}}", '{"caption": "', "{ caption }"):
        assert choose("m=http://h/v1", None, {setting: text}).settings[setting] == text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("max_pixels=few", "max_pixels must be a whole number"),
        ("max_tiles=3", "has no setting 'max_tiles'"),
        ("no.such=3", "has no setting 'no.such'"),
    ],
)
def test_a_bad_value_ends_a_command_with_code_2(tmp_path: Path, change: str, message: str) -> None:
    (tmp_path / "a.json").write_text('[{"image": "a.png", "caption": ""}]')
    options = ["--allow-missing", "--model", "m=http://h/v1", "--set", f"m.{change}"]
    done = cli("new", tmp_path / "project", tmp_path / "a.json", *options)
    assert done.returncode == 2
    assert done.stderr.count(message) == 1
    assert not (tmp_path / "project").exists()


def test_template_variables_are_set_one_by_one() -> None:
    (choice,) = choose_all(
        ["a.b=http://h/v1"], None, ["a.b.template.enable_thinking=false", "a.b.template.mode=fast"]
    )
    assert choice.settings["template"] == '{"enable_thinking": false, "mode": "fast"}'
    settings = Settings.of(choice.settings)
    assert settings.template_variables == {"enable_thinking": False, "mode": "fast"}
    assert apply_changes(settings, {"template.mode": "none"}).template_variables.keys() == {
        "enable_thinking"
    }
    assert apply_changes(settings, {"template": "none"}) == replace(settings, template="")


def test_settings_survive_the_database() -> None:
    changes = {
        "prompts": '["What?", "Wo {ist} es?"]',
        "strip": '["...</think>"]',
        "template": '{"b": 1, "a": [2]}',
        "repetition_penalty": "1.05",
    }
    settings = apply_changes(Settings(), changes)
    assert Settings.of(json.loads(json.dumps(asdict(settings)))) == settings
    check_settings(settings)
    for name in ("prompts", "strip", "template"):
        with pytest.raises(BadInput, match=name):
            check_settings(Settings.of({name: "["}))


def test_each_setting_shapes_the_captions_only_when_it_is_set() -> None:
    values = {
        "prompts": '["a", "b"]',
        "system": "Be kind.",
        "prefill": "A",
        "keep_prefill": "no",
        "template": '{"a": 1}',
        "strip": '["a"]',
        "min_pixels": "9",
        "max_pixels": "9",
        "max_tiles": "2",
        "repetition_penalty": "1.5",
    }
    assert values.keys() == {*ASKING_SETTINGS, "max_tiles"}
    plain = settings_hash("dry-run", None, Settings())
    assert plain == "0cb986a3"
    hashes = {
        settings_hash("dry-run", None, apply_changes(Settings(), {name: text}))
        for name, text in values.items()
    }
    assert len(hashes - {plain}) == len(values)


@pytest.mark.parametrize(
    ("files", "stated"),
    [
        ({}, {}),
        ({"preprocessor_config.json": QWEN}, {"max_pixels": PIXELS}),
        ({"processor_config.json": {"image_processor": QWEN}}, {"max_pixels": PIXELS}),
        ({"preprocessor_config.json": QWEN | {"max_pixels": 23_520}}, {}),
        ({"preprocessor_config.json": QWEN | {"min_pixels": 500_000}}, {}),
        (
            {"preprocessor_config.json": {"image_processor_type": QWEN["image_processor_type"]}},
            {"max_pixels": PIXELS},
        ),
        ({"generation_config.json": {"repetition_penalty": 1.05}}, {"repetition_penalty": 1.05}),
        ({"generation_config.json": {"repetition_penalty": 1}}, {}),
        ({"generation_config.json": {"repetition_penalty": "x"}}, {}),
        ({"generation_config.json": "{"}, {}),
        ({"chat_template.jinja": THINKING}, {"template": '{"enable_thinking": false}'}),
        (
            {"tokenizer_config.json": {"chat_template": THINKING}},
            {"template": '{"enable_thinking": false}'},
        ),
    ],
)
def test_a_new_model_begins_with_what_its_checkpoint_states(
    files: Files, stated: dict[str, Any], folder: Write
) -> None:
    path = folder(files)
    settings = Settings.of(choose(f"m=hf:{path}").settings)
    assert settings == replace(FAMILIES["hf"].presets["paper"], **stated)
    assert choose(f"m=hf:{path}", "official").settings == asdict(settings)


def test_what_a_person_sets_comes_before_it(folder: Write) -> None:
    path = folder(
        {
            "preprocessor_config.json": QWEN,
            "chat_template.jinja": THINKING,
            "generation_config.json": {"repetition_penalty": 1.05},
        }
    )
    changes = {"max_pixels": "none", "template.enable_thinking": "true", "repetition_penalty": "1"}
    settings = Settings.of(choose(f"m=hf:{path}", changes=changes).settings)
    assert settings.max_pixels is None
    assert settings.template_variables == {"enable_thinking": True}
    assert settings.repetition_penalty == 1


def test_an_old_project_keeps_its_hash(folder: Write) -> None:
    """Its settings say nothing of pixels and thinking, and its file alone of the penalty."""
    path = folder(
        {
            "preprocessor_config.json": QWEN,
            "chat_template.jinja": THINKING,
            "generation_config.json": {"repetition_penalty": 1.05},
        }
    )
    old = FAMILIES["hf"].presets["paper"]
    changed = change_model("m", "hf", str(path), old, {"batch": "8"})
    assert changed.settings_hash == settings_hash("hf", str(path), old)
    assert changed.settings["repetition_penalty"] == 1.05
    assert (changed.settings["max_pixels"], changed.settings["template"]) == (None, "")
    other = change_model("m", "hf", str(path), old, {"repetition_penalty": "1.1"})
    assert other.settings_hash != changed.settings_hash


def test_another_checkpoint_brings_its_own(folder: Write) -> None:
    first = folder(
        {"preprocessor_config.json": QWEN, "generation_config.json": {"repetition_penalty": 1.05}}
    )
    second = folder({"chat_template.jinja": THINKING})
    chosen = choose(f"m=hf:{first}", changes={"system": "Be kind."})
    moved = change_model(
        "m", "hf", str(first), Settings.of(chosen.settings), {"checkpoint": str(second)}
    )
    expected = {"system": "Be kind.", "template": '{"enable_thinking": false}'}
    assert moved.settings == asdict(FAMILIES["hf"].presets["paper"]) | expected
