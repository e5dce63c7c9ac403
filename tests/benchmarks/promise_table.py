"""The table that the promises print, and what was broken."""

broken: list[str] = []


def row(promise: str, reach: str, measured: str, kept: bool) -> None:
    """One line of the table."""
    if not kept:
        broken.append(promise)
    print(f"{promise:66} {reach:>22}  {measured}{'' if kept else '   BROKEN'}", flush=True)
