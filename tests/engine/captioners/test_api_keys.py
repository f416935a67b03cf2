"""A key goes only to servers that this user has named, whatever a project's address looks like."""

from __future__ import annotations

import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.captioners.address import is_loopback, origin_of, read_address
from engine.captioners.api_keys import (
    OPENAI_ORIGIN,
    choose_source,
    key_source,
    listed_variables,
    model_variable,
)
from engine.utils.errors import BadInput
from engine.utils.user_config import config_file

OPENAI_LOOKALIKES = [
    "http://api.openai.com/v1",
    "https://api.openai.com.evil.org/v1",
    "https://api.openai.com@evil.org/v1",
    "https://api.openai.com:443@evil.org/v1",
    "https://evil.org/api.openai.com/v1",
    "https://evil.org#api.openai.com/v1",
    "https://evil.org\\@api.openai.com/v1",
    "https://api.openai.com\\.evil.org/v1",
    "https://api.openai.com:8443/v1",
    "https://api.openai.com./v1",
    "https://xapi.openai.com/v1",
    "https://openai.com/v1",
    "https://\N{CYRILLIC SMALL LETTER A}pi.openai.com/v1",
    "https://api.openai.com%2eevil.org/v1",
    "https://api.openai.com\t.evil.org/v1",
    "//api.openai.com/v1",
    "api.openai.com/v1",
]
ADDRESSES = st.one_of(
    st.sampled_from(OPENAI_LOOKALIKES),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["https://", "http://", "HTTPS://", "https:/", "https:"]),
        st.text("aA.:@\\/?#%[]1é\t \u3002\uff0e-_", max_size=12),
        st.sampled_from(["", "/v1", ":443/v1", "@api.openai.com/v1"]),
    ),
)


def write_config(text: str) -> None:
    config_file().parent.mkdir(parents=True, exist_ok=True)
    config_file().write_text(text)


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("qwen2.5-vl", "MLLMAUG_API_KEY_QWEN2_5_VL"),
        ("endpoint", "MLLMAUG_API_KEY_ENDPOINT"),
        ("A_b", "MLLMAUG_API_KEY_A_B"),
    ],
)
def test_the_variable_of_a_model(model: str, variable: str) -> None:
    assert model_variable(model) == variable


@pytest.mark.parametrize("address", OPENAI_LOOKALIKES)
def test_openais_key_goes_to_no_lookalike(address: str) -> None:
    assert "OPENAI_API_KEY" not in choose_source("m", address, {}).variables


@pytest.mark.parametrize(
    "address", ["https://api.openai.com/v1", "https://API.OpenAI.com:443/v1", OPENAI_ORIGIN]
)
def test_openais_key_goes_to_openai(address: str) -> None:
    assert choose_source("m", address, {}).variables == ("MLLMAUG_API_KEY_M", "OPENAI_API_KEY")


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/v1",
        "http://localhost:8000/v1",
        "http://127.0.0.1:8000/v1",
        "http://[::1]:8000/v1",
    ],
)
def test_a_variable_with_the_models_name_names_its_server(address: str) -> None:
    source = choose_source("m", address, {})
    assert source.variables == ("MLLMAUG_API_KEY_M",)
    assert "MLLMAUG_API_KEY_M" in source.advice and str(config_file()) in source.advice


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org/v1",
        "http://localhost.evil.org/v1",
        "http://127.0.0.1.evil.org/v1",
        "http://2130706433/v1",
        "http://[2001:db8::1]/v1",
    ],
)
def test_no_key_is_sent_in_the_clear_to_another_machine_unless_it_is_listed(address: str) -> None:
    source = choose_source("m", address, {})
    assert source.variables == ()
    origin = str(origin_of(address))
    assert f'"{origin}" = "MLLMAUG_API_KEY_M"' in source.advice
    assert choose_source("m", address, {origin: "A_KEY"}).variables == ("A_KEY",)


def test_a_listed_variable_goes_to_the_listed_servers_only() -> None:
    """So a received project gets no key by naming its model like the user's."""
    listed = {"https://example.org": "MLLMAUG_API_KEY_M"}
    assert choose_source("m", "https://example.org/v1", listed).variables == ("MLLMAUG_API_KEY_M",)
    elsewhere = choose_source("m", "https://evil.org/v1", listed)
    assert elsewhere.variables == () and "listed for another server" in elsewhere.advice


def test_the_list_is_the_users_own() -> None:
    assert listed_variables() == {}
    write_config('[api_keys]\n"HTTPS://Example.org:443/" = "A_KEY"\n"http://gpu:8000" = "B_KEY"\n')
    assert listed_variables() == {"https://example.org": "A_KEY", "http://gpu:8000": "B_KEY"}
    assert key_source("m", "http://gpu:8000/v1").variables == ("B_KEY",)
    assert key_source("m", "http://gpu:8001/v1").variables == ()


@pytest.mark.parametrize(
    "text",
    [
        "api_keys = 3",
        '[api_keys]\n"example.org" = "A"',
        '[api_keys]\n"https://example.org/v1" = "A"',
        '[api_keys]\n"https://me@example.org" = "A"',
        '[api_keys]\n"https://example.org" = "sk-a key"',
        '[api_keys]\n"https://example.org" = 3',
        "= what",
    ],
)
def test_with_a_list_that_makes_no_sense_no_key_is_sent(text: str) -> None:
    write_config(text)
    source = key_source("m", "https://example.org/v1")
    assert source.variables == () and str(config_file()) in source.advice
    assert "sk-a key" not in source.advice


@given(ADDRESSES)
@example("https://api.openai.com\\@evil.org/v1")
def test_an_origin_is_where_the_request_really_goes(address: str) -> None:
    origin = origin_of(address)
    if origin is None:
        return
    try:
        url = httpx2.URL(f"{address}/")
    except (httpx2.InvalidURL, ValueError):
        return  # nothing is sent
    host = f"[{url.host}]" if ":" in url.host else url.host
    port = "" if url.port in (None, {"http": 80, "https": 443}[url.scheme]) else f":{url.port}"
    assert origin == f"{url.scheme}://{host}{port}"


def test_loopback_is_this_machine() -> None:
    assert is_loopback("http://127.8.9.1:80") and is_loopback("http://[::1]:8")
    assert not is_loopback("http://localhost.evil.org") and not is_loopback("http://128.0.0.1")


def test_an_address_with_a_key_in_it_says_where_the_key_belongs() -> None:
    with pytest.raises(BadInput, match="MLLMAUG_API_KEY_"):
        read_address("https://sk-secret@example.org/v1")
