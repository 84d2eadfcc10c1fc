"""Audits of networks whose robustness is known in closed form, or whose gradients are masked."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save
from torch import Tensor, nn

import robustsweep as rs
from orchestrator.audit.audit import AuditOptions, AuditOutcome, _audited, _unlike_its_training
from orchestrator.audit.rounds import Budget, read_budget, rounds
from orchestrator.audit.summary import audit_lines
from orchestrator.launching.launch import LaunchOptions
from orchestrator.paths import Paths
from orchestrator.statistics.verdict import VerdictCheck
from orchestrator.store import ModelVerdict
from tests.builders import pretrain_job
from tests.commands import robustsweep
from workers.errors import UserError
from workers.spec.model import ModelSpec
from workers.spec.stage_specs import TrainSpec

N, EPSILON = 40, 0.01


def _linear() -> nn.Module:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Flatten(), nn.Linear(48, 4)).eval()
    net[1].bias.data = -0.5 * net[1].weight.data.sum(dim=1)
    return net


def _examples(net: nn.Module) -> tuple[Tensor, Tensor]:
    """Examples so far from the bounds that no attack is clipped, classified right."""
    inputs = 0.3 + 0.4 * torch.rand((N, 3, 4, 4), generator=torch.Generator().manual_seed(2))
    return inputs, net(inputs).argmax(dim=1)


def _exactly_robust(net: nn.Module, inputs: Tensor, labels: Tensor) -> float:
    """Share of the examples that no point of the linf ball changes: the margins beyond epsilon times the l1 norms of weight differences."""
    layer = net[1]
    weight, logits = layer.weight.detach(), net(inputs).detach()  # type: ignore[union-attr, operator]
    margins = logits.gather(1, labels[:, None]) - logits
    needed = EPSILON * (weight[labels][:, None] - weight[None]).abs().sum(dim=2)
    return float(((margins > needed) | (torch.arange(4) == labels[:, None])).all(dim=1).float().mean())


class Stairs(nn.Module):
    """A network behind coarse steps, through which no gradient comes."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, inputs: Tensor) -> Tensor:
        return self.net((inputs * 50).round() / 50)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audits")


def test_an_audit_finds_the_exact_robust_accuracy_of_a_linear_network(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = _linear()
    inputs, labels = _examples(net)
    exact = _exactly_robust(net, inputs, labels)
    assert 0.1 < exact < 0.9
    options = {"epsilon": str(EPSILON), "home": home, "budget": "0.001s", "bundle": home / "linear.bundle"}
    found = rs.audit(net, (inputs, labels), **options)
    assert found.robust_accuracy == pytest.approx(exact, abs=1e-6)
    assert found.verdict == "suspicious"
    assert found.outcome.following is None  # 40 examples: no attack makes the verdict sound
    assert "no attack makes a verdict sound on fewer than 100 examples; audit more of them" in repr(found)
    assert set(found.results()["attack"]) >= {"autoattack", "apgd_ce", "worst_case"}
    assert f"of {N} examples 100.0 % are right, {100 * exact:.1f} % (95 % interval" in repr(found)
    capsys.readouterr()
    bundle = (home / "linear.bundle").read_bytes()
    again = rs.audit(net, (inputs, labels), **options)
    assert "nothing to do" in capsys.readouterr().out
    assert again.results().equals(found.results())
    assert (home / "linear.bundle").read_bytes() == bundle
    checked = rs.verify(home / "linear.bundle", examples=N)
    assert checked.stands, checked.line
    assert checked.claim.robust_accuracy == found.robust_accuracy
    assert checked.claim.verdict == found.verdict
    rs.audit(net, (inputs, labels), **options | {"bundle": None})  # what keeps more is as good
    assert "nothing to do" in capsys.readouterr().out


@pytest.mark.slow
def test_a_bundle_asked_for_later_says_what_is_made_again_and_why(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = _linear()
    inputs, labels = (part[:12] for part in _examples(net))
    options = {"epsilon": str(EPSILON), "home": home, "budget": "0.001s", "name": "later", "norm": "l2"}
    found = rs.audit(net, (inputs, labels), **options)
    capsys.readouterr()
    again = rs.audit(net, (inputs, labels), **options, bundle=home / "later.bundle")
    assert "audit: 5 attacks are made again: a bundle holds what attacks made of the examples" in " ".join(capsys.readouterr().out.split())
    assert again.robust_accuracy == found.robust_accuracy
    assert rs.verify(home / "later.bundle", examples=12).stands


@pytest.mark.slow  # the zoo of masked networks is judged by default, in tests/zoo
def test_an_audit_calls_masked_gradients_unsound(home: Path) -> None:
    net = _linear()
    inputs, labels = _examples(net)
    found = rs.audit(Stairs(net).eval(), (inputs, labels), epsilon=str(EPSILON), home=home, name="stairs", budget="0.001s")
    assert found.verdict == "unsound"
    assert found.outcome.following is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epsilon": "0.01", "norm": "l7"}, "norm"),
        ({"epsilon": "0.01", "budget": "5 days"}, "^--budget '5 days': a number of seconds, minutes or hours"),
        ({"epsilon": "-1"}, "-1"),
        ({"epsilon": "0.01", "bounds": (0.0, 0.5)}, r"^examples: from .*; must be within bounds=\(0.0, 0.5\)$"),
    ],
)
def test_wrong_arguments_say_so(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    net = _linear()
    with pytest.raises(UserError, match=message):
        rs.audit(net, _examples(net), home=tmp_path, **given)


@pytest.mark.slow  # the same code as the notebook's, tested above
def test_the_command_audits_weights_of_a_plugin_network(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from torch import nn\nimport robustsweep as rs\n\n\n"
        '@rs.model(modality="image")\ndef mine(info: rs.DatasetInfo) -> nn.Module:\n'
        "    channels, height, width = info.shape\n"
        "    return nn.Sequential(nn.AvgPool2d(height // 4), nn.Flatten(), nn.Linear(16 * channels, info.n_classes))\n"
    )
    torch.manual_seed(0)
    torch.save(nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(48, 10)).state_dict(), tmp_path / "mine.pt")
    call = ["audit", "mine", "--plugin", "mine.py", "--weights", "mine.pt", "--data", "digits", "--epsilon", "8/255", "--examples", "35"]
    call += ["--norm", "Linf", "--executor", "inline", "--budget", "0.001s", "--home", "home"]
    done = robustsweep(*call, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "verdict: " in done.stdout
    assert "cost: " in done.stdout
    assert "page: audit-mine-mine-digits-linf-8-255.html" in done.stdout
    assert (tmp_path / "audit-mine-mine-digits-linf-8-255.html").stat().st_size > 10_000
    as_json = robustsweep(*call, "-f", "json", cwd=tmp_path)
    record = json.loads(as_json.stdout[as_json.stdout.index("{") :])
    assert record["worst_case"]["accuracy"] <= min(found["robust_accuracy"] for found in record["attacks"])
    missing = robustsweep(*call, "--weights", "other.pt", cwd=tmp_path)
    assert missing.returncode == 2
    assert "other.pt" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_rounds_of_a_randomised_network_average_over_draws() -> None:
    first, *others = rounds(epsilon="8/255", norm="linf", randomised=True)
    suite = first.groups[0]
    assert (suite["version"], suite["knowledge"]) == ("rand", "eot")
    assert all(group.get("knowledge") != "randomized" for found in [first, *others] for group in found.groups)
    assert len({found.purpose for found in [first, *others]}) == len(others) + 1


def test_a_network_that_draws_by_itself_has_no_full_weights_to_attack() -> None:
    known = [
        {group.get("knowledge") for group in rounds(epsilon="8/255", norm="linf", randomised=True, by_itself=by_itself)[0].groups}
        for by_itself in (False, True)
    ]
    assert known == [{"eot", None, "omniscient"}, {"eot", None}]


class Waves(nn.Module):
    """A network of waveforms that adds noise, if it has any, to its logits."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.noise = nn.Sequential(nn.Conv1d(1, 4, 9, 4, 4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 4)), 0.05

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.body(inputs)
        if not self.noise:
            return logits
        return logits + self.noise * torch.randn(logits.shape, generator=torch.Generator().manual_seed(int(torch.randint(2**31, ()))))


@pytest.mark.slow  # ten thousands of queries
@pytest.mark.parametrize("randomised", [False, True])
def test_an_audit_of_waveforms_can_be_verified(home: Path, randomised: bool) -> None:
    net = Waves().eval()
    net.noise *= randomised
    inputs = 0.8 * torch.rand((16, 1, 64), generator=torch.Generator().manual_seed(1)) - 0.4
    labels = net.body(inputs).argmax(dim=1)
    path = home / f"waves{randomised:d}.bundle"
    found = rs.audit(
        net,
        (inputs, labels),
        epsilon="0.02",
        bounds=(-1.0, 1.0),
        randomised=randomised,
        name=f"waves{randomised:d}",
        home=home,
        budget="0.001s",
        bundle=path,
    )
    assert found.robust_accuracy is not None
    checked = rs.verify(path, examples=16)
    assert checked.stands, checked.line


def test_a_trained_model_with_other_settings_than_the_audited_is_told_with_the_options_that_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"network": "resnet18", "weights": "abcd1234", "data": "digits", "epsilon": "8/255"}
    options = AuditOptions(**given, launch=LaunchOptions(space="", paths=Paths.resolve(home=tmp_path, store=None)))
    audited, trained = pretrain_job().spec, ModelSpec(width=8, theta=0.9)
    assert isinstance(audited, TrainSpec)
    audited = audited.model_copy(update={"model": ModelSpec(tensorized=False)})
    monkeypatch.setattr("orchestrator.audit.audit.adopted_model", lambda *_: trained)
    said = _unlike_its_training(options, audited)
    assert said is not None
    assert {"model.tensorized=true", "model.theta=0.9", "model.width=8"} <= set(said.split())
    assert _unlike_its_training(options, audited.model_copy(update={"model": trained})) is None
    monkeypatch.undo()
    assert _unlike_its_training(replace(options, weights="w.pt"), audited) is None


def test_adopted_weights_are_sketched_as_they_are(tmp_path: Path) -> None:
    (weights := tmp_path / "w.safetensors").write_bytes(save({"weight": torch.zeros(2)}))
    overrides = ("model.tensorized=true", "model.theta=0.9")
    launch = LaunchOptions(space="", paths=Paths.resolve(home=tmp_path, store=None), overrides=overrides)
    audited = _audited(AuditOptions(network="resnet18", weights=str(weights), data="digits", epsilon="8/255", launch=launch))
    assert (audited.model.theta, audited.training.epochs) == (0.9, 0)


def test_what_is_noted_next_to_a_verdict_is_said_in_its_line() -> None:
    checks = tuple(VerdictCheck(outcome, outcome, f"it {outcome}", {}) for outcome in ("passed", "noted"))  # type: ignore[arg-type]
    verdict = ModelVerdict(model_key="k", description="a net", verdict="sound", checks=checks, judged_at=datetime.now(UTC))
    found = AuditOutcome(name="a", rows=(), verdict=verdict, seconds=1.0, jobs=1, tried=("the suite",), following=None)
    assert audit_lines(found)[0] == "verdict: sound; no attack is done yet; it noted"


def test_a_budget_is_spent_by_the_clock() -> None:
    now = [10.0]
    budget = Budget(60.0, clock=lambda: now[0])
    assert not budget.is_spent
    now[0] = 70.0
    assert budget.is_spent
    assert read_budget("1.5h").seconds == 5400
    assert not read_budget(None).is_spent
