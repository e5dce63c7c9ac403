"""What a page may ask for a run: pause, resume, stop, start again, delete, bring back, rename."""

from prunescope.app.guard import refuse
from prunescope.engine.config import ConfigError
from prunescope.engine.launch import launch_resume, rerun
from prunescope.engine.store import Run, Store

ACTIONS = ("pause", "resume", "stop", "rerun", "delete", "restore", "rename")
_BY_STATUS = {
    "pause": ("running",),
    "resume": ("paused", "interrupted", "stopped", "failed", "queued"),
    "stop": ("queued", "running", "paused", "not responding"),
}


def control(store: Store, run_id: str, action: str, name: object = None) -> str:
    """Do one of `ACTIONS`; returns the id of the run that it is now about (a new one for "rerun").

    Raises
    ------
    StoreError
        The run is unknown, busy, or cannot be written.
    HTTPException
        409 if the run's status does not allow the action, 400 for a name that is none, 422 if the
        run's settings name code of the user's own.
    """
    if action == "restore":
        store.restore(run_id)
        return run_id
    run = store.run(run_id)
    if action == "rename":
        if not isinstance(name, str) or not name.strip():
            refuse(400, "A run needs a name.", None, 'Send {"action": "rename", "name": "…"}.')
        store.rename(run_id, name)
    elif action == "delete":
        store.delete(run_id)
    else:
        return _steer(store, run, action)
    return run_id


def _steer(store: Store, run: Run, action: str) -> str:
    if run.kind != "train":
        refuse(409, "This run was recorded by another program.", run.id, "Steer the training where it runs.")
    if action != "rerun" and run.status not in _BY_STATUS[action]:
        refuse(
            409,
            f"A run that is {run.status} cannot be asked to {action}.",
            run.id,
            f"That works while it is {' or '.join(_BY_STATUS[action])}.",
        )
    if action != "rerun" and (action != "resume" or run.status == "paused"):
        run.request(action)
        return run.id
    try:
        if action == "rerun":
            return rerun(store, run.id)
        launch_resume(store, run.id)
    except ConfigError as error:
        refuse(422, str(error), run.id, f"Start it on the shell: prunescope train --resume {run.id}")
    return run.id
