"""Routing problems to try, and an independent solver (HiGHS, through scipy) that says what the best answer is."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from time import monotonic

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from oms.routing.search import Found, search

SHAPES = ("ample", "scarce", "partial", "equal scores", "mixed", "single", "shops")


@dataclass(frozen=True)
class Problem:
    """What is wanted, who has how much, and what each place's part would cost."""

    wanted: dict[str, int]
    stock: dict[str, dict[str, int]]
    scores: dict[str, int]
    name: str = ""
    most: int | None = None

    def served(self, places: tuple[str, ...]) -> int:
        """Units that these places serve together."""
        return sum(min(units, sum(self.stock[place].get(sku, 0) for place in places)) for sku, units in self.wanted.items())

    def solve(self, seconds: float = 10.0) -> Found:
        """Our answer."""
        return search(self.wanted, self.stock, self.scores, most=self.most, until=monotonic() + seconds)


def problem(seed: int, skus: int, places: int, shape: str) -> Problem:
    """The same problem for the same seed; all places together always have enough."""
    random = Random(f"{seed} {skus} {places} {shape}")
    names = [f"s{number:02d}" for number in range(skus)]
    wanted = {sku: random.choice([1, 1, 1, 2, 3, 5, 10, 40]) for sku in names}
    stock: dict[str, dict[str, int]] = {}
    for number in range(places):
        stock[f"L{number:03d}"] = {sku: units for sku in names if (units := _units(random, shape, wanted[sku], number, sku)) > 0}
    scores = {place: 100 if shape == "equal scores" else random.randint(0, 1500) for place in stock}
    have = {sku: sum(skus_.get(sku, 0) for skus_ in stock.values()) for sku in names}
    wanted = {sku: min(units, have[sku]) for sku, units in wanted.items() if have[sku]}
    stock = {place: {sku: min(units, wanted[sku]) for sku, units in row.items()} for place, row in stock.items()}
    return Problem(wanted, {place: row for place, row in stock.items() if row}, scores, f"{shape} {skus}x{places} #{seed}")


def _units(random: Random, shape: str, wanted: int, place: int, sku: str) -> int:
    match shape:
        case "ample":
            return wanted if random.random() < 0.6 else 0
        case "scarce":
            return random.randint(1, wanted) if random.random() < 0.15 else 0
        case "partial":
            return random.randint(0, wanted) if random.random() < 0.5 else 0
        case "equal scores":
            return random.randint(0, wanted) if random.random() < 0.4 else 0
        case "single":
            return random.randint(0, max(1, wanted // 4))
        case "shops":  # a few warehouses with nearly everything, and shops with a little of some things
            return (wanted if random.random() < 0.93 else 0) if place % 25 == 0 else (random.randint(1, 3) if random.random() < 0.3 else 0)
        case _:
            return random.randint(1, 2 * wanted) if random.random() < random.choice([0.1, 0.8]) else 0


@dataclass(frozen=True)
class Answer:
    """What HiGHS found: places, score, units served; `proven` when it finished in time."""

    places: int
    score: int
    units: int
    proven: bool = True


def by_highs(given: Problem, seconds: float = 60.0) -> Answer | None:
    """Fewest places, then the smallest score, in two runs; None if no set within the cap serves everything or time is over."""
    order = sorted(given.scores.keys() & given.stock.keys())
    rows = np.array([[given.stock[place].get(sku, 0) for place in order] for sku in given.wanted])
    needs = np.array(list(given.wanted.values()))
    cover = LinearConstraint(rows, lb=needs)
    ones = np.ones(len(order))
    first = _milp(ones, [cover], seconds)
    if first is None or (given.most is not None and first > given.most):
        return None
    scores = np.array([given.scores[place] for place in order], dtype=float)
    second = _milp(scores, [cover, LinearConstraint(ones, lb=first, ub=first)], seconds)
    return None if second is None else Answer(first, second, sum(given.wanted.values()))


def most_by_highs(given: Problem, seconds: float = 60.0) -> Answer | None:
    """With a cap: the most units, then the fewest places, then the smallest score, in three runs."""
    order = sorted(given.scores.keys() & given.stock.keys())
    skus = list(given.wanted)
    count, width = len(order), len(order) + len(skus)
    rows = np.zeros((len(skus), width))  # units taken of a SKU are no more than what the chosen places have
    for index, sku in enumerate(skus):
        rows[index, :count] = [-given.stock[place].get(sku, 0) for place in order]
        rows[index, count + index] = 1
    chosen = np.concatenate([np.ones(count), np.zeros(len(skus))])
    taken = np.concatenate([np.zeros(count), np.ones(len(skus))])
    scores = np.concatenate([np.array([given.scores[place] for place in order], dtype=float), np.zeros(len(skus))])
    limits = Bounds(np.zeros(width), np.concatenate([np.ones(count), np.array([given.wanted[sku] for sku in skus])]))
    rules = [LinearConstraint(rows, ub=np.zeros(len(skus))), LinearConstraint(chosen, ub=float(given.most or 0))]
    units = _milp(-taken, rules, seconds, limits)
    if units is None:
        return None
    rules.append(LinearConstraint(taken, lb=-units))
    places = _milp(chosen, rules, seconds, limits)
    if places is None:
        return None
    score = _milp(scores, [*rules, LinearConstraint(chosen, ub=places)], seconds, limits)
    return None if score is None else Answer(places, score, -units)


def _milp(costs: np.ndarray, rules: list[LinearConstraint], seconds: float, limits: Bounds | None = None) -> int | None:
    """The smallest sum, as the whole number it is; None if there is none or it was not proved in time."""
    options = {"time_limit": seconds, "mip_rel_gap": 0}
    done = milp(costs, constraints=rules, integrality=np.ones(len(costs)), bounds=limits or Bounds(0, 1), options=options)
    return round(float(done.fun)) if done.status == 0 else None
