"""The table of units: their factors to base units, and their dimensions.

Factors are exact. Units that no exact factor converts have dimensions of their own: every currency, months
(which have no fixed number of days), and angles in degrees (`compare.py` converts them to radians with pi).
"""

from fractions import Fraction

Dimensions = tuple[tuple[str, int], ...]
"""Base dimensions with their powers, sorted by name."""

# By dimension: the names of a unit (`inche` is `inches` without its s) and its factor.
_BASE: dict[str, dict[str, str]] = {
    "length": {
        "m meter metre": "1", "in inch inche": "0.0254", "ft foot feet": "0.3048", "yd yard": "0.9144",
        "mi mile": "1609.344", "micron": "1e-6", "angstrom": "1e-10", "nmi": "1852", "ly": "9460730472580800",
    },
    "mass": {
        "g gram gramme": "0.001", "t ton tonne": "1000", "lb pound": "0.45359237",
        "oz ounce": "0.028349523125", "stone": "6.35029318",
    },
    "time": {
        "s sec second": "1", "min minute": "60", "h hr hour": "3600", "day": "86400", "week wk": "604800",
        "fortnight": "1209600",
    },
    "month": {"month mo": "1", "year yr": "12", "decade": "120", "century": "1200"},
    "current": {"A amp ampere": "1"},
    "temperature": {"K kelvin": "1", "°C celsius": "1", "°F fahrenheit": "5/9"},
    "amount": {"mol mole": "1"},
    "angle": {"° deg degree": "1", "arcmin": "1/60", "arcsec": "1/3600", "rev revolution": "360"},
    "radian": {"rad radian": "1"},
    "$": {"$ dollar buck usd": "1", "¢ cent penny": "0.01", "dime": "0.1", "nickel": "0.05"},
    "€": {"€ euro eur": "1"}, "£": {"£ gbp sterling": "1", "pence": "0.01"}, "¥": {"¥ yen jpy": "1"},
    "₹": {"₹ rupee inr": "1", "paise": "0.01"}, "₩": {"₩ won": "1"}, "₽": {"₽ ruble": "1"},
    "CHF": {"chf franc": "1"}, "CAD": {"cad": "1"}, "AUD": {"aud": "1"}, "yuan": {"yuan rmb": "1"},
    "bit": {"bit b": "1", "B byte": "8"}, "decibel": {"dB decibel": "1"},
}  # fmt: skip
# By the names of a unit: its factor and its dimensions.
_DERIVED: dict[str, tuple[str, dict[str, int]]] = {
    "L l liter litre": ("0.001", {"length": 3}), "cc": ("1e-6", {"length": 3}),
    "gal gallon": ("0.003785411784", {"length": 3}), "qt quart": ("0.000946352946", {"length": 3}),
    "pt pint": ("0.000473176473", {"length": 3}), "cup": ("0.0002365882365", {"length": 3}),
    "tbsp tablespoon": ("0.00001478676478125", {"length": 3}),
    "tsp teaspoon": ("0.00000492892159375", {"length": 3}), "acre": ("4046.8564224", {"length": 2}),
    "ha hectare": ("10000", {"length": 2}), "N newton": ("1", {"mass": 1, "length": 1, "time": -2}),
    "J joule": ("1", {"mass": 1, "length": 2, "time": -2}),
    "W watt": ("1", {"mass": 1, "length": 2, "time": -3}),
    "Pa pascal": ("1", {"mass": 1, "length": -1, "time": -2}), "Hz hertz": ("1", {"time": -1}),
    "C coulomb": ("1", {"current": 1, "time": 1}),
    "V volt": ("1", {"mass": 1, "length": 2, "time": -3, "current": -1}),
    r"\Omega ohm": ("1", {"mass": 1, "length": 2, "time": -3, "current": -2}),
    "F farad": ("1", {"mass": -1, "length": -2, "time": 4, "current": 2}),
    "T tesla": ("1", {"mass": 1, "time": -2, "current": -1}),
    "Wb weber": ("1", {"mass": 1, "length": 2, "time": -2, "current": -1}),
    "H henry": ("1", {"mass": 1, "length": 2, "time": -2, "current": -2}),
    "cal calorie": ("4.184", {"mass": 1, "length": 2, "time": -2}),
    "eV": ("1.602176634e-19", {"mass": 1, "length": 2, "time": -2}),
    "Wh": ("3600", {"mass": 1, "length": 2, "time": -2}),
    "hp horsepower": ("745.7", {"mass": 1, "length": 2, "time": -3}),
    "bar": ("100000", {"mass": 1, "length": -1, "time": -2}),
    "atm atmosphere": ("101325", {"mass": 1, "length": -1, "time": -2}),
    "mmHg torr": ("101325/760", {"mass": 1, "length": -1, "time": -2}),
    "mph": ("0.44704", {"length": 1, "time": -1}), "kph kmph": ("5/18", {"length": 1, "time": -1}),
    "knot": ("463/900", {"length": 1, "time": -1}), "bps": ("1", {"bit": 1, "time": -1}),
    "rpm": ("6", {"angle": 1, "time": -1}), "M molar": ("1000", {"amount": 1, "length": -3}),
}  # fmt: skip
# Prefixes of symbols (`km`) and of words (`kilometre`), with their powers of ten.
_SHORT_PREFIXES = {
    "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12,
    "f": -15,
}  # fmt: skip
_LONG_PREFIXES = {
    "tera": 12, "giga": 9, "mega": 6, "kilo": 3, "hecto": 2, "deci": -1, "centi": -2, "milli": -3,
    "micro": -6, "nano": -9, "pico": -12,
}  # fmt: skip
_PREFIXED = (
    "m meter metre g gram gramme s sec second A amp ampere K mol mole L l liter litre N newton J joule W"
    " watt Pa pascal Hz hertz"
    r" C coulomb V volt \Omega ohm F farad T tesla cal calorie eV Wh bit b B byte bps bar M"
).split()
"""Units that take prefixes."""


def _table() -> dict[str, tuple[Fraction, Dimensions]]:
    rows = [(names, factor, {kind: 1}) for kind, units in _BASE.items() for names, factor in units.items()]
    rows += [(names, factor, dimensions) for names, (factor, dimensions) in _DERIVED.items()]
    table: dict[str, tuple[Fraction, Dimensions]] = {}
    for names, factor, powers in rows:
        for name in names.split():
            table[name] = (Fraction(factor), tuple(sorted(powers.items())))
    for name in _PREFIXED:
        factor, dimensions = table[name]
        is_word = len(name) > 3 and name != r"\Omega"
        for prefix, power in (_LONG_PREFIXES if is_word else _SHORT_PREFIXES).items():
            # A unit with a name of its own keeps it: `dB` is a decibel and not a tenth of a byte.
            table.setdefault(prefix + name, (factor * Fraction(10) ** power, dimensions))
    return table


FOREIGN_NAMES = {
    name: unit
    for unit, names in {
        "hour": "stunde stunden heure heures hora horas ora ore час часа часов",
        "minute": "minuten minutos minuti минута минуты минут",
        "second": "sekunde sekunden seconde secondes segundo segundos secondi секунда секунды секунд",
        "day": "tag tage tagen jour jours día días dia dias giorno giorni день дня дней",
        "year": "jahr jahre jahren ans années año años anno anni anos год года лет",
        "meter": "mètre mètres metro metros metri метр метра метров",
        "km": "kilometer kilomètres kilómetros quilômetro quilômetros chilometri",
        "cm": "zentimeter centimètres centímetros",
        "kg": "kilogramm kilogrammes kilogramos",
        "gram": "gramm grammes gramos",
        "liter": "liter litres litros",
        "dollar": "dólar dólares доллар доллара долларов",
        "euro": "евро",
        "ruble": "рубль рубля рублей руб",
    }.items()
    for name in names.split()
}  # fmt: skip
"""Names of units in other languages, with the names that the table has."""

UNITS = _table()
"""By name: the factor to the base units, and the dimensions."""
