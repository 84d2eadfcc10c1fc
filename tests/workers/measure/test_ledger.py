"""Numbers of each example, and what attacks cost."""

import numpy as np
import pytest
import torch

from tests.builders import attack_settings
from tests.workers.small import generator, network, split
from workers.artifacts.per_example import as_bytes, packed_numbers, unpacked_classes, unpacked_numbers
from workers.measure.evaluate import attacker, craft, evaluated
from workers.measure.ledger import Ledger

DATA = split(20)
STEPS = 3


def pgd(**more):
    return attack_settings(name="pgd", steps=STEPS, **more)


def test_passes_are_counted_in_examples_and_the_evaluation_is_not_among_them():
    net, ledger = network(width=4), Ledger("linf")
    perturb = attacker(net, pgd(), generator=generator(), ledger=ledger)
    evaluated(net, DATA, batch_size=8, perturb=perturb, ledger=ledger)
    assert ledger.spent is not None
    assert ledger.spent.model_dump() == {"forward": 20 * STEPS, "backward": 20 * STEPS, "queries": 0}


def test_what_an_attack_remembers_counts_as_spent_again():
    net, memory, spent = network(width=4), {}, []
    for epsilon in (4 / 255, 8 / 255):
        ledger = Ledger()
        craft(net, DATA, attack_settings(epsilon=epsilon), batch_size=8, generator=generator(), memory=memory, ledger=ledger)
        spent.append(ledger.spent)
    assert spent[0] == spent[1]
    assert spent[0].model_dump() == {"forward": 20, "backward": 20, "queries": 0}


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_margins_classes_and_sizes_are_those_of_the_attacked_examples(norm):
    net, ledger, made = network(width=4), Ledger(norm), []
    attack = attacker(net, pgd(norm=norm), generator=generator(), ledger=ledger)

    def perturb(place, inputs, labels):
        made.append(attack(place, inputs, labels))
        return made[-1]

    found = evaluated(net, DATA, batch_size=8, perturb=perturb, ledger=ledger)
    inputs, labels = DATA.batch(slice(0, 20))
    examples = torch.cat(made)
    with torch.no_grad():
        logits = torch.cat([net(part) for part in made]).double()
    own = logits.gather(1, labels[:, None])[:, 0]
    others = logits.scatter(1, labels[:, None], -torch.inf).amax(dim=1)
    margins = unpacked_numbers(as_bytes(found.examples.margins))
    assert margins == pytest.approx((own - others).numpy(), rel=2e-3, abs=1e-3)
    assert np.array_equal(margins > 0, found.correct[0])
    assert unpacked_classes(as_bytes(found.examples.classes)).tolist() == logits.argmax(dim=1).tolist()
    lengths = (examples - inputs).flatten(1).norm(p=torch.inf if norm == "linf" else 2, dim=1)
    assert unpacked_numbers(as_bytes(found.examples.sizes)) == pytest.approx(lengths.numpy(), rel=1e-3)


def test_clean_examples_have_no_sizes():
    assert evaluated(network(width=4), DATA, batch_size=8).examples.sizes == ""


def test_numbers_beyond_sixteen_bits_stay_finite_and_infinite_ones_infinite():
    values = np.array([1e9, -1e9, np.inf, 0.5])
    assert unpacked_numbers(as_bytes(packed_numbers(values))).tolist() == [65504.0, -65504.0, np.inf, 0.5]
