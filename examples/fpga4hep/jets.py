"""Synthetic jets: a toy of how five kinds of particle jets look to a detector, as 16 integers each.

A jet is a spray of particles around one, two or three directions ("prongs"): gluons and quarks make one, a W or a Z
boson two, a top quark three. The angles between the prongs follow from the mass of what decayed. Fragmentation is a
Dirichlet distribution of momenta and exponentially distributed angles. That is far from physics, and close enough to
make the features that jet taggers use, with classes that overlap: W and Z differ by 13 % of their mass, smeared by
the detector.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CLASSES = ("gluon", "quark", "W", "Z", "top")
FEATURES = (
    "multiplicity", "mass", "groomed mass", "groomed multiplicity", "girth", "pT dispersion", "z log z",
    "correlation 0.5", "correlation 1", "correlation 2", "major axis", "minor axis", "first z", "second z", "core",
    "widest pair",
)  # fmt: skip
STEP = 2.0**-5
"""What one step of the integers is worth, in standard deviations of a feature."""

_MASSES = {"W": 80.4, "Z": 91.2, "top": 172.8}
_PARTICLES = 48
_GROOMED = 0.02

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Jets:
    """Attributes: features, int8 (jets, 16); labels, uint8 (jets,), indices of ``CLASSES``."""

    features: npt.NDArray[np.int8]
    labels: npt.NDArray[np.uint8]


def _prongs(kind: str, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Shares of the jet's momentum, (prongs,), and directions relative to the jet, (prongs, 2)."""
    momentum = random.uniform(800, 1200)  # GeV
    if kind not in _MASSES:
        return np.ones(1), np.zeros((1, 2))
    mass = _MASSES[kind] * random.normal(1, 0.04)
    share = random.uniform(0.15, 0.85)
    angle = mass / (momentum * np.sqrt(share * (1 - share)))
    turn = random.uniform(0, 2 * np.pi)
    axis = np.array([np.cos(turn), np.sin(turn)])
    shares = np.array([share, 1 - share])
    places = np.stack([axis * angle * (1 - share), -axis * angle * share])
    if kind != "top":
        return shares, places
    # The first prong of a top quark is a W that decays again.
    inner_shares, inner_places = _prongs("W", random)
    widening = 1 / max(share, 0.3)
    return (
        np.concatenate([shares[:1] * inner_shares, shares[1:]]),
        np.concatenate([places[:1] + inner_places * widening, places[1:]]),
    )


def _jet(kind: str, random: np.random.Generator) -> Floats:
    """The 16 features of one jet."""
    shares, places = _prongs(kind, random)
    gluon = kind == "gluon"
    z, where = [], []
    for share, place in zip(shares, places, strict=True):
        count = int(np.clip(random.poisson((26 if gluon else 15) * share**0.5) + 3, 3, _PARTICLES // len(shares)))
        z.append(share * random.dirichlet(np.full(count, 0.9 if gluon else 0.5)))
        spread = random.exponential(0.11 if gluon else 0.06, count) / (1 + 6 * z[-1] / share)
        turns = random.uniform(0, 2 * np.pi, count)
        where.append(place + spread[:, None] * np.stack([np.cos(turns), np.sin(turns)], axis=1))
    return _features(np.concatenate(z), np.concatenate(where))


def _features(z: Floats, where: Floats) -> Floats:
    centred = where - z @ where
    radius = np.hypot(*centred.T)
    pair = z[:, None] * z[None, :]
    distance = np.sqrt(((where[:, None] - where[None, :]) ** 2).sum(axis=2))
    hard = z > _GROOMED
    major, minor = np.sqrt(np.maximum(np.linalg.eigvalsh((centred * z[:, None]).T @ centred)[::-1], 0))
    first, second = np.sort(z)[::-1][:2]
    squared = pair * distance**2
    return np.array(
        [
            len(z), np.sqrt(squared.sum() / 2), np.sqrt(squared[hard][:, hard].sum() / 2), hard.sum(), z @ radius,
            np.sqrt(z @ z), z @ np.log(z + 1e-12), (pair * distance**0.5).sum(), (pair * distance).sum(),
            squared.sum(), major, minor, first, second, z[radius < 0.1].sum(), distance[hard][:, hard].max(initial=0),
        ]
    )  # fmt: skip


def make_jets(count: int, seed: int) -> Jets:
    """Jets of all classes in equal parts and random order, digitised to eight bits.

    Mean and standard deviation of the features are those of 2,000 jets of a seed of their own, so that all sets are
    digitised alike.
    """
    calibration = _raw(2000, 0)[0]
    features, labels = _raw(count, seed)
    steps = np.rint((features - calibration.mean(axis=0)) / calibration.std(axis=0) / STEP)
    return Jets(np.clip(steps, -128, 127).astype(np.int8), labels)


def _raw(count: int, seed: int) -> tuple[Floats, npt.NDArray[np.uint8]]:
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(count) % len(CLASSES)).astype(np.uint8)
    return np.stack([_jet(CLASSES[label], random) for label in labels]), labels
