"""At which iterations a snapshot is due."""


def early_steps(count: int, steps_per_epoch: int, epochs: float) -> tuple[int, ...]:
    """Log-spaced iterations inside the first epochs, where alignment happens.

    They lie strictly between the initialisation and the end of the second epoch (or
    of the run, when it is shorter); ends of epochs are left out because they are
    recorded anyway. Log spacing rounds several points to the same iteration near 1;
    such a point moves on to the next free one, so that the asked number is kept as
    long as there are iterations enough.

    Parameters
    ----------
    count : how many snapshots are wanted
    steps_per_epoch : iterations in an epoch
    epochs : length of the run

    Returns
    -------
    increasing iteration numbers (iteration n = after n updates), at most `count`
    """
    last = int(steps_per_epoch * min(2, epochs)) - 1
    free = [step for step in range(1, last + 1) if step % steps_per_epoch]
    if count <= 0 or not free:
        return ()
    count = min(count, len(free))
    chosen: list[int] = []
    position = 0
    for index in range(count):
        target = free[-1] ** (index / max(count - 1, 1))
        # Leave as many free iterations behind this one as are still to be placed.
        limit = len(free) - (count - index)
        while position < limit and free[position] < round(target):
            position += 1
        chosen.append(free[position])
        position += 1
    return tuple(chosen)
