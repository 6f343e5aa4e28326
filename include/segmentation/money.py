"""How an amount of money is written wherever a marketer reads one."""

from __future__ import annotations

from decimal import Decimal


def money(amount: float | Decimal, currency: str = "") -> str:
    """Write an amount, with cents where there are some and they matter.

    Parameters
    ----------
    amount : float or Decimal
        In the currency's unit.
    currency : str
        A sign, written before the amount, or a code, written after it; '' = neither.

    Examples
    --------
    >>> money(1234.5, "$"), money(-0.25, "EUR"), money(57478.66, "USD"), money(3), money(0, "\N{EURO SIGN}")
    ('$1,234', '-0.25 EUR', '57,479 USD', '3', '€0')
    """
    size = abs(float(amount))
    figure = (f"{size:,.2f}" if size < 99.995 else f"{size:,.0f}").removesuffix(".00")
    sign = "-" if amount < 0 and size >= 0.005 else ""
    if currency and not any(letter.isalpha() for letter in currency):
        return f"{sign}{currency}{figure}"
    return f"{sign}{figure} {currency}".rstrip()
