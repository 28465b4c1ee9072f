"""Options over HTTP: what is priced, what is refused by name, and what is said about the computation."""

import math
from typing import Any

import httpx2 as httpx
import pytest

from nautilus.accel.kernels.options import black_scholes
from nautilus.http.app import build_app
from nautilus.testing import make_node

HULL = {"kind": "call", "spot": 42.0, "strike": 40.0, "rate": 0.1, "volatility": 0.2, "expiry_years": 0.5}
PUT = HULL | {"kind": "put"}


@pytest.fixture
async def client() -> Any:
    async with make_node(["risk"]) as node:
        transport = httpx.ASGITransport(app=build_app(node))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8001") as session:
            yield session


async def answered(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(f"/risk/options/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_prices_and_greeks_come_in_the_order_of_the_request(client: httpx.AsyncClient) -> None:
    data = await answered(client, "price", {"options": [HULL, PUT], "exact": True})
    assert [round(value, 2) for value in data["price"]] == [4.76, 0.81]
    assert data["delta"][0] - data["delta"][1] == pytest.approx(1.0)
    assert data["gamma"][0] == pytest.approx(data["gamma"][1])
    assert data["backend"] in {"numpy", "numba"}
    assert data["relative_error"] <= 1e-9


async def test_an_infinite_greek_is_null_and_the_others_stay(client: httpx.AsyncClient) -> None:
    expiring = HULL | {"spot": 40.0, "expiry_years": 0.0}
    data = await answered(client, "price", {"options": [expiring, HULL]})
    assert data["gamma"][0] is None
    assert data["theta"][0] is None
    assert (data["price"][0], data["delta"][0]) == pytest.approx((0.0, 0.5))
    assert data["gamma"][1] is not None


async def test_a_grid_is_a_row_for_each_spot_and_a_value_for_each_volatility(client: httpx.AsyncClient) -> None:
    terms = {name: HULL[name] for name in ("kind", "strike", "rate", "expiry_years")}
    spots, volatilities = [38.0, 40.0, 42.0], [0.0, 0.2]
    data = await answered(client, "grid", {**terms, "spots": spots, "volatilities": volatilities})
    for row, spot in enumerate(spots):
        expected = black_scholes([spot] * 2, [40.0] * 2, [0.1] * 2, [0.0] * 2, volatilities, [0.5] * 2, [True] * 2)
        for name, values in expected._asdict().items():
            assert data[name][row] == pytest.approx(values.tolist(), rel=1e-4, abs=1e-3)


async def test_the_implied_volatility_is_the_one_that_priced(client: httpx.AsyncClient) -> None:
    priced = await answered(client, "price", {"options": [HULL, PUT], "exact": True})
    quoted = [
        {name: value for name, value in option.items() if name != "volatility"} | {"price": price}
        for option, price in zip([HULL, PUT], priced["price"], strict=True)
    ]
    quoted.append(quoted[0] | {"price": 50.0})
    data = await answered(client, "implied-volatility", {"options": quoted})
    assert data["volatility"][:2] == pytest.approx([0.2, 0.2], abs=1e-12)
    assert data["volatility"][2] is None


async def test_a_simulation_states_its_error_and_repeats_itself_by_seed(client: httpx.AsyncClient) -> None:
    request = HULL | {"pairs": 50_000, "steps": 1, "seed": 11, "exact": True}
    data = await answered(client, "monte-carlo", request)
    assert abs(data["price"] - 4.7594) < 5 * data["standard_error"]
    assert 0.0 < data["standard_error"] < 0.05
    assert (data["paths"], data["seed"]) == (100_000, 11)
    assert await answered(client, "monte-carlo", request) == data
    assert (await answered(client, "monte-carlo", request | {"seed": 12}))["price"] != data["price"]


async def test_a_knocked_out_and_a_knocked_in_option_are_the_plain_one_together(client: httpx.AsyncClient) -> None:
    request = HULL | {"pairs": 1_000, "steps": 10, "payoff": "arithmetic_asian", "exact": True}
    plain = await answered(client, "monte-carlo", request)
    parts = [
        await answered(client, "monte-carlo", request | {"barrier": name, "barrier_level": 39.0})
        for name in ("down_and_out", "down_and_in")
    ]
    assert math.fsum(part["price"] for part in parts) == pytest.approx(plain["price"], rel=1e-12)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("price", {"options": []}, "options"),
        ("price", {"options": [HULL | {"spot": -1.0}]}, "spot"),
        ("price", {"options": [HULL | {"volatility": -0.1}]}, "volatility"),
        ("price", {"options": [HULL | {"kind": "straddle"}]}, "kind"),
        (
            "grid",
            {"kind": "put", "strike": 1.0, "expiry_years": 1.0, "spots": [1.0] * 500, "volatilities": [0.1] * 500},
            "body.spots",
        ),
        ("monte-carlo", HULL | {"pairs": 10_000_000, "steps": 100}, "body.pairs"),
        ("monte-carlo", HULL | {"barrier": "up_and_in"}, "body.barrier_level"),
        ("monte-carlo", HULL | {"barrier_level": 50.0}, "body.barrier_level"),
        ("implied-volatility", {"options": [HULL | {"price": 1.0}]}, "volatility"),
    ],
)
async def test_what_cannot_be_is_refused_by_name(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], field: str
) -> None:
    answer = await client.post(f"/risk/options/{path}", json=body)
    assert answer.status_code in {400, 422}
    assert field in answer.text
