"""How differences are written: shares in percentage points with their sign, p-values short."""

from search.statistics.formatting import is_share


def points(value: float, monitor: str, sign: bool = True) -> str:
    """A difference: +1.3 percentage points for a share, three decimals else; 0.0 has no sign."""
    form = ("+" if sign else "") + (".1f" if is_share(monitor) else ".3f")
    text = format(100 * value if is_share(monitor) else value, form)
    return text.lstrip("+-") if float(text) == 0 else text


def interval_text(low: float | None, high: float | None, monitor: str) -> str:
    """An interval of a difference, ``[+0.2, +1.9]``; empty where there is none."""
    if low is None or high is None:
        return ""
    return f"[{points(low, monitor)}, {points(high, monitor)}]"


def bound_text(value: float, monitor: str) -> str:
    """What a difference may still come to, ``up to 1.4``; never ``up to 0.0``."""
    text = points(abs(value), monitor, sign=False)
    if float(text) > 0:
        return f"up to {text}"
    return "less than 0.1" if is_share(monitor) else "less than 0.001"


def unit(monitor: str) -> str:
    """What a difference is counted in, with a blank before; empty for other metrics."""
    return " points" if is_share(monitor) else ""


def p_text(p: float | None) -> str:
    """A p-value in few characters."""
    if p is None:
        return "-"
    return "<.001" if p < 0.001 else f"{p:.3f}".lstrip("0") if p < 0.9995 else "1"
