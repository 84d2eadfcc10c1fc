import importlib.machinery
from pathlib import Path

import pytest

from orchestrator.planning import prelaunch_checks as preflight
from orchestrator.planning.prelaunch_checks import check_backends
from tests.builders import attack_job, attack_settings, craft_job, evaluate_job, pretrain_job
from workers.errors import UserError

MODEL = pretrain_job()
THEIRS = attack_settings(name="pgd", steps=2, backend="foolbox")
SPEC = importlib.machinery.ModuleSpec("foolbox", None, origin=str(Path("x")))


@pytest.mark.parametrize("job", [attack_job(MODEL, attack=THEIRS), craft_job(MODEL, attack=THEIRS)], ids=lambda job: job.stage)
def test_a_backend_that_is_not_installed_is_known_before_anything_runs(job, monkeypatch):
    monkeypatch.setattr(preflight, "find_spec", {"foolbox": None}.get)
    with pytest.raises(UserError, match=r"^attacks: backend=foolbox: Foolbox is not installed; pip install 'robustsweep\[foolbox\]'"):
        check_backends([MODEL, job])
    check_backends([MODEL, evaluate_job(MODEL), attack_job(MODEL)])
    monkeypatch.setattr(preflight, "find_spec", {"foolbox": SPEC}.get)
    check_backends([MODEL, job])
