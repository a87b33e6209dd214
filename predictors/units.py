"""Conversions between units that get mixed up in plants: Celsius read as Fahrenheit, bar as psi."""

from __future__ import annotations

from dataclasses import dataclass

from predictors.schema import Floats


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a sensor says when it reports ``other`` in place of its own unit.

    >>> import numpy as np
    >>> [round(float(one.said(np.array([100.0]))[0]), 2) for one in conversions("°C")]
    [212.0, 373.15, 100000.0, 0.1]
    """

    other: str
    factor: float
    offset: float = 0.0

    def said(self, values: Floats) -> Floats:
        """True values as the sensor says them in the other unit."""
        return self.factor * values + self.offset

    def meant(self, values: Floats) -> Floats:
        """What was said in the other unit, in the point's own."""
        return (values - self.offset) / self.factor


# A milli- or a kilo- too many befalls every unit.
_PREFIXES = (Conversion("× 1000", 1000.0), Conversion("÷ 1000", 0.001))
_TEMPERATURE = {
    "c": (Conversion("°F", 1.8, 32.0), Conversion("K", 1.0, 273.15)),
    "f": (Conversion("°C", 1 / 1.8, -32 / 1.8), Conversion("K", 1 / 1.8, 459.67 / 1.8)),
    "k": (Conversion("°C", 1.0, -273.15), Conversion("°F", 1.8, -459.67)),
}
_IN_PASCAL = {"bar": 1e5, "mbar": 1e2, "psi": 6894.757, "kpa": 1e3, "mpa": 1e6, "pa": 1.0}
_IN_MM_S = {"mm/s": 1.0, "in/s": 25.4, "cm/s": 10.0, "m/s": 1000.0}
_SAME = {
    "celsius": "c",
    "degc": "c",
    "fahrenheit": "f",
    "degf": "f",
    "kelvin": "k",
    "psig": "psi",
    "ips": "in/s",
    "inch/s": "in/s",
}


def conversions(unit: str) -> tuple[Conversion, ...]:
    """What may be mixed up with a unit; of an unknown unit, all that only scale."""
    named = unit.strip().lower().replace("°", "").replace(" ", "")
    named = _SAME.get(named, named)
    found: tuple[Conversion, ...] = _TEMPERATURE.get(named, ())
    if not named:
        found = (*_TEMPERATURE["c"], *_scaled(_IN_PASCAL, "bar"), *_scaled(_IN_MM_S, "mm/s"))
    for scale in (_IN_PASCAL, _IN_MM_S):
        found += _scaled(scale, named)
    known = {round(one.factor, 9) for one in found}
    return (*found, *(one for one in _PREFIXES if round(one.factor, 9) not in known))


def _scaled(in_common: dict[str, float], unit: str) -> tuple[Conversion, ...]:
    if unit not in in_common:
        return ()
    others = (other for other in in_common if other != unit)
    return tuple(Conversion(other, in_common[unit] / in_common[other]) for other in others)
