# SPDX-License-Identifier: LGPL-2.1-or-later
"""Amounts and rates from the way people write them, without a float, and without rounding."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Union

from . import _corral

_WRITTEN = re.compile(r"-?[0-9]{1,18}(\.[0-9]+)?", re.ASCII)
_RATE = re.compile(r"[0-9]{1,3}(\.[0-9]+)?%", re.ASCII)


def _digits(currency: str) -> int:
    digits = _corral.currency_digits(currency)
    if digits is None:
        raise ValueError(f"currency: {currency!r} is no currency of ISO 4217")
    return digits


def _scaled(number: Decimal, digits: int, field: str) -> int:
    sign, figures, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError(f"{field}: {number} is no amount")
    if exponent + digits > 20:
        raise ValueError(f"{field}: the amount is too large")
    while exponent + digits < 0 and figures and figures[-1] == 0:
        figures, exponent = figures[:-1], exponent + 1
    if figures and exponent + digits < 0:
        raise ValueError(f"{field}: {number} has more than {digits} digits behind the point")
    amount = int("".join(map(str, figures)) + "0" * max(exponent + digits, 0) or "0")
    if amount >= 2**63:
        raise ValueError(f"{field}: the amount is too large")
    return -amount if sign else amount


def money(amount: Union[str, Decimal], currency: str) -> int:
    """money('8.99', 'USD') is 899, money(Decimal('500'), 'JPY') is 500; '8.999' is refused."""
    digits = _digits(currency)
    if isinstance(amount, str):
        if not _WRITTEN.fullmatch(amount):
            raise ValueError(f"amount: {amount[:40]!r} is no amount such as '8.99'")
        if "." in amount and len(amount) - amount.index(".") - 1 > digits:
            text = f"{amount[:40]!r} has more than {digits} digits behind the point"
            raise ValueError(f"amount: {text}")
        amount = Decimal(amount)
    elif not isinstance(amount, Decimal):
        raise TypeError(f"amount: a str or a Decimal is wanted, not {type(amount).__name__}")
    return _scaled(amount, digits, "amount")


def amount(cents: int, currency: str) -> Decimal:
    """The other way round: amount(899, 'USD') is Decimal('8.99')."""
    if not isinstance(cents, int) or isinstance(cents, bool):
        raise TypeError(f"cents: an int is wanted, not {type(cents).__name__}")
    return Decimal(cents).scaleb(-_digits(currency))


def rate(percent: str) -> int:
    """rate('8.25%') is 82500, in parts per million."""
    if not isinstance(percent, str):
        raise TypeError(f"rate: a str is wanted, not {type(percent).__name__}")
    if not _RATE.fullmatch(percent):
        raise ValueError(f"rate: {percent[:40]!r} is no rate such as '8.25%'")
    ppm = _scaled(Decimal(percent[:-1]), 4, "rate")
    if ppm > 1_000_000:
        raise ValueError(f"rate: {percent[:40]!r} is not from 0% to 100%")
    return ppm
