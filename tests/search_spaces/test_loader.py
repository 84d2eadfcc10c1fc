import subprocess
import sys

import pytest

from search_spaces import SpaceError, builtin_spaces, load_space, parse_space
from workers.errors import UserError
from workers.registry import ATTACKS

GOOD = """\
# a comment
seed: 0
data:
  name: digits
model:
  theta: [1.0, 0.9]
training:
  epochs: 2
  learning_rate: 1e-2
attacks:
  - attack: pgd
    epsilon: 8/255
"""


def problems(text, *overrides):
    with pytest.raises(SpaceError) as caught:
        parse_space(text, label="x.yaml", stem="x", overrides=overrides)
    return str(caught.value).splitlines()


def loaded(text, *overrides):
    (grid,) = parse_space(text, label="x.yaml", stem="x", overrides=overrides).grids
    return grid


RECIPES = "one of awp, custom, fast, fast_at, grad_align, madry, mart, paper, trades"
KINDS = "one of n_fgsm, none, pgd, r_fgsm, rs_fgsm"
IMAGES = "one of convnext, preact_resnet18, resnet, resnet18, vgg, vit, wide_resnet"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("[1.0, 0.9]", "1.3", "x.yaml:6: model.theta=1.3: must be in (0, 1]"),
        ("[1.0, 0.9]", "\n    - 1.0\n    - 1.3", "x.yaml:8: model.theta=1.3: must be in (0, 1]"),
        ("[1.0, 0.9]", "yes", "x.yaml:6: model.theta='yes': must be a number"),
        ("[1.0, 0.9]", "true", "x.yaml:6: model.theta=true: must be a number"),
        ("[1.0, 0.9]", ".nan", "x.yaml:6: model.theta=nan: must be a finite number"),
        ("[1.0, 0.9]", "", "x.yaml:6: model.theta=null: must be a number"),
        (
            "attacks:",
            "diagnosis: {draws: 1}\nattacks:",
            "x.yaml:10: diagnosis.draws=1: one draw of a randomised model proves nothing; must be >= 2",
        ),
        ("attacks:", "diagnosis: {steps: 70}\nattacks:", "x.yaml:10: diagnosis.more_steps=60: must be more than steps, which is 70"),
        (
            "attacks:",
            "diagnosis: {epsilon: 8}\nattacks:",
            "x.yaml:10: diagnosis.epsilon=8: must be in (0, 1] (input units: 8/255, not 8), or null",
        ),
        ("attacks:", "diagnosis: true\nattacks:", "x.yaml:10: diagnosis=true: must be a mapping (key: value)"),
        ("epochs: 2", "epochs: ten", "x.yaml:8: training.epochs='ten': must be a whole number"),
        ("  epochs: 2\n", "", "x.yaml:7: training.epochs: missing; it is required"),
        ("epochs: 2", "recipe: fats", f"x.yaml:8: training.recipe='fats': {RECIPES}"),
        (
            "epochs: 2",
            "recipe: [fast, fats]",
            f"x.yaml:8: training.recipe='fats': {RECIPES}",
        ),
        ("epochs: 2", "recipe: custom", "x.yaml:7: training.epochs: missing; it is required"),
        ("epochs: 2", "recipe: [fast, custom]", "x.yaml:7: training.epochs: missing; it is required"),
        ("epochs: 2", "epochs: []", "x.yaml:8: training.epochs=[]: must name at least one value"),
        (
            "epochs: 2",
            "recipe: fast\nfine_tuning:\n  recipe: custom",
            "x.yaml:9: fine_tuning.recipe=custom: has no epochs; give fine_tuning.epochs",
        ),
        (
            "epochs: 2",
            "epochs: 2\n  adversarial_training: pdg",
            f"x.yaml:9: training.adversarial_training='pdg': {KINDS}",
        ),
        (
            "epochs: 2",
            "epochs: 2\n  adversarial_epsilon: [2, 8]",
            "x.yaml:9: training.adversarial_epsilon=[2, 8]: must be in (0, 1] (input units: 8/255, not 8)",
        ),
        (
            "epochs: 2",
            "epochs: 2\n  adversarial_epsilon: 8/255",
            "x.yaml:9: training.adversarial_epsilon='8/255': must be [low, high], such as [8/255, 8/255]",
        ),
        (
            "epochs: 2",
            "epochs: 2\n  adversarial_steps: [[1, 2], [3, 2]]",
            "x.yaml:9: training.adversarial_steps=[3, 2]: must be [low, high], low <= high",
        ),
        (
            "epochs: 2",
            "epochs: 2\n  adversarial_steps: [0, 2]",
            "x.yaml:9: training.adversarial_steps=[0, 2]: must be [low, high], whole numbers >= 1",
        ),
        (
            "epochs: 2",
            "epochs: 2\n  milestones: [1, 2]",
            "x.yaml:9: training.milestones=[1, 2]: epoch 2 is never reached with epochs=2; shares, such as 150/350, always are",
        ),
        (
            "epochs: 2",
            "epochs: 2\n  milestones: [1.5]",
            "x.yaml:9: training.milestones=[1.5]: each must be an epoch >= 1 or a share in (0, 1), such as 150/350",
        ),
        ("epochs: 2", "epochs: 2\n  precision: fp16", "x.yaml:9: training.precision='fp16': one of auto, bf16, float32"),
        ("epochs: 2", "epochs: 2\n  clip_norm: 0", "x.yaml:9: training.clip_norm=0: must be > 0, or null"),
        ("epochs: 2", "epochs: 2\n  epochs: 3", "x.yaml:9: duplicate key 'epochs'; it is already on line 8"),
        ("epochs: 2", "epochs: 0x", "x.yaml:8: training.epochs='0x': must be a whole number"),
        ("epochs: 2", "epochs: 1:30", "x.yaml:8: training.epochs='1:30': must be a whole number"),
        ("epochs: 2", "epochs: !!python/name:os.system x", "x.yaml:8: tag '!!python/name:os.system' is not allowed"),
        (
            "attack: pgd",
            "attack: pdg",
            f"x.yaml:11: attacks.0.attack='pdg': one of {', '.join(ATTACKS.names())}, foolbox:NAME (did you mean pgd?)",
        ),
        ("8/255", "8", "x.yaml:12: attacks.0.epsilon=8: must be in (0, 1] (input units: 8/255, not 8)"),
        ("digits", "mnist", "x.yaml:4: data.name='mnist': one of cifar10, digits, speech_commands, tones, folder:NAME, torchvision:NAME"),
        (
            "attack: pgd",
            "sign_gradient: tahn\n    attack: pgd",
            "x.yaml:11: attacks.0.sign_gradient='tahn': one of identity, tanh, tanh075",
        ),
        (
            "attack: pgd",
            "norm: l2\n    attack: pgd",
            "x.yaml:11: attacks.0.steps=paper: there is no such rule under norm l2; give a number of steps (attack pgd)",
        ),
        (
            "attack: pgd",
            "momentum: 0.5\n    attack: pgd",
            "x.yaml:11: attacks.0.momentum=0.5: attack pgd has no momentum; leave momentum out",
        ),
        ("theta:", "binary: yes\n  theta:", "x.yaml:6: model.binary='yes': must be true or false"),
        (
            "theta:",
            "draws: [batch, example]\n  binary: true\n  theta:",
            "x.yaml:7: model.binary=true: binary=true with draws=example: a kernel is made binary once a batch; use draws=batch",
        ),
        ("seed: 0", "seed: -1", "x.yaml:2: seed=-1: must be >= 0"),
        ("seed: 0", "seed: &a [*a]", "x.yaml:2: an alias refers to the value that it is part of"),
        ("seed: 0", "method: gird", "x.yaml:2: method='gird': one of grid, optuna"),
        ("seed: 0", "name: a b", "x.yaml:2: name='a b': must be at most 100 letters, digits, '.', '_' or '-', a letter or digit first"),
        ("seed: 0", "? [1]\n: 2", "x.yaml:2: a key must be a word"),
        ("digits", "tones", "x.yaml:5: model.name=resnet18: takes image inputs, and tones is audio; one of logmel, m11, m5, soundnet5"),
        (
            "theta: [1.0, 0.9]",
            "name: logmel",
            f"x.yaml:5: model.name=logmel: takes audio inputs, and digits is image; {IMAGES}",
        ),
        (
            "training:",
            "defence:\n  name: squeezing\ntraining:",
            "x.yaml:8: defence.name='squeezing': one of none, defensive_dropout, defensive_quantization, feature_squeezing, "
            "random_resize_pad, stochastic_activation_pruning (did you mean feature_squeezing?)",
        ),
        ("training:", "defence:\n  bit_depth: 9\ntraining:", "x.yaml:8: defence.bit_depth=9: must be in [1, 8]"),
        ("training:", "defence:\n  dropout: [0.5, 1]\ntraining:", "x.yaml:8: defence.dropout=1: must be in (0, 1)"),
        ("training:", "defence:\n  pad_factor: 1\ntraining:", "x.yaml:8: defence.pad_factor=1: must be in (1, 2]"),
        (
            "  theta: [1.0, 0.9]\n",
            "  binary: [false, true]\ndefence:\n  name: [none, defensive_quantization]\n",
            "x.yaml:7: defence.name=defensive_quantization with binary=true: acts on ReLUs, and signs have taken their place; "
            "one of none, defensive_dropout, feature_squeezing, random_resize_pad",
        ),
        (
            "digits\nmodel:\n",
            "tones\ndefence: {name: random_resize_pad}\nmodel:\n  name: logmel\n",
            "x.yaml:5: defence.name=random_resize_pad: changes images, and tones is audio; "
            "one of none, defensive_dropout, defensive_quantization, stochastic_activation_pruning",
        ),
        (
            "digits",
            "digits\n  split_lists: resplit",
            "x.yaml:5: data.split_lists='resplit': dataset digits has no split_lists; leave split_lists out",
        ),
    ],
)
def test_a_mistake_is_one_line_with_its_line_number_value_and_legal_values(old, new, line):
    assert problems(GOOD.replace(old, new, 1)) == [line]


def test_a_waveform_is_not_flipped():
    text = GOOD.replace("digits\nmodel:", "tones\nmodel:\n  name: soundnet5").replace("epochs: 2", "epochs: 2\n  horizontal_flip: true")
    expected = "x.yaml:8: training.horizontal_flip=true: tones is audio, and only images are flipped; must be false"
    assert problems(text) == [expected]
    (line,) = problems(text.replace("flip: true", "flip: false"), "fine_tuning.horizontal_flip=[false, true]")
    assert "fine_tuning.horizontal_flip=true: tones is audio" in line


def test_a_crop_needs_images_and_leaves_something_of_them():
    text = GOOD.replace("epochs: 2", "epochs: 2\n  crop_padding: [null, 2, 32]")
    (line,) = problems(text)
    assert line == "x.yaml:7: training.crop_padding=32: sides are of 32 pixels; must be in [1, 31], or null"
    (line,) = problems(text.replace("32]", "4]").replace("digits\nmodel:", "tones\nmodel:\n  name: soundnet5"))
    assert line.endswith("training.crop_padding=2: tones is audio, and only images are cropped; must be null")
    (line,) = problems(GOOD.replace("epochs: 2", "epochs: 2\n  crop_padding: 0"))
    assert line == "x.yaml:9: training.crop_padding=0: must be >= 1, or null"


def test_a_model_that_does_not_fit_is_known_where_the_space_names_none():
    (line,) = problems("data: {name: tones}\ntraining: {epochs: 1}\n")
    assert line.endswith("model.name=resnet18: takes image inputs, and tones is audio; one of logmel, m11, m5, soundnet5")


def test_an_unknown_key_names_the_nearest_and_all_legal_ones():
    (line,) = problems(GOOD.replace("theta:", "thta:"))
    legal = "legal: name, depth, heads, layers, patch, widen_factor, width, tensorized, "
    assert line.startswith(f"x.yaml:6: model.thta: unknown key; did you mean 'theta'? {legal}")
    (line,) = problems(GOOD.replace("attacks:", "atacks:"))
    assert line.startswith("x.yaml:10: atacks: unknown key; did you mean 'attacks'? legal: name, description, ")


def test_all_problems_are_reported_at_once_in_the_order_of_their_lines():
    text = GOOD.replace("1.0", "1.3").replace("epochs: 2", "epochs: ten").replace("digits", "mnist").replace("pgd", "pdg")
    assert [line.split(":")[1] for line in problems(text)] == ["4", "6", "8", "11"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "x.yaml:1: a space file is a mapping (key: value); the file is empty"),
        ("# only a comment\n", "x.yaml:1: a space file is a mapping (key: value); the file is empty"),
        ("- 1\n- 2", "x.yaml:1: a space file is a mapping (key: value); found [1, 2]"),
        ("seed: 0\ndata: {", "x.yaml:2: not valid YAML: while parsing a flow node, expected the node content, but found '<stream end>'"),
        ("seed: 0\na: \x07", "x.yaml:2: not valid YAML: character '\\x07' is not allowed"),
        ('seed: 0\na: "\\UFFFFFFFF"', "x.yaml:2: not valid YAML: a number or an escape is out of range"),
        ("[" * 9999, "x.yaml:1: not valid YAML: nested too deeply"),
    ],
)
def test_a_text_that_is_no_mapping_is_one_line(text, line):
    assert problems(text) == [line]


@pytest.mark.parametrize("setting", ["seed: 0", "name: digits", "theta: [1.0, 0.9]", "epochs: 2", "attack: pgd", "epsilon: 8/255"])
def test_an_alias_bomb_is_refused_at_once_wherever_it_lies(setting):
    layers = ["[x]", *(f"[{', '.join([f'*b{i}'] * 9)}]" for i in range(40))]
    bomb = "".join(f"b{i}: &b{i} {layer}\n" for i, layer in enumerate(layers))
    lines = problems(bomb + GOOD.replace(setting, f"{setting.split(':')[0]}: *b40", 1))
    assert sum("unknown key" in line for line in lines) == len(layers)
    assert sum("=[" in line for line in lines) == 1


def test_aliases_are_the_values_they_name():
    text = GOOD.replace("8/255", "&e [2/255, 8/255]") + "  - {attack: bim, epsilon: *e}\n"
    assert loaded(text).attacks[1].epsilon == ("2/255", "8/255")


def test_an_exponent_without_a_dot_is_a_number():
    assert loaded(GOOD).training.learning_rate == (0.01,)


def test_a_section_with_everything_commented_out_keeps_its_defaults():
    assert loaded(GOOD.replace("  theta", "  # theta")).model == loaded(GOOD.replace("model:\n  theta: [1.0, 0.9]\n", "")).model


def test_overrides_replace_and_add_settings():
    grid = loaded(GOOD, "model.theta=0.5", "training.momentum=0", "fine_tuning.epochs=[1, 2]", "attacks.0.epsilon=[4/255]", "seed=7")
    assert grid.model.theta == (0.5,)
    assert grid.training.momentum == (0.0,)
    assert grid.fine_tuning.epochs == (1, 2)
    assert grid.attacks[0].epsilon == ("4/255",)
    assert grid.seed == (7,)


def test_an_override_of_one_group_leaves_its_alias_alone():
    text = "data: {name: digits}\ntraining: {epochs: 1}\nattacks: [&a {attack: pgd, epsilon: 8/255}, *a]"
    assert [group.epsilon for group in loaded(text, "attacks.0.epsilon=1/255").attacks] == [("1/255",), ("8/255",)]


def test_an_override_mends_what_the_file_says():
    assert loaded(GOOD.replace("1.0", "1.3"), "model.theta=1.0").model.theta == (1.0,)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("model.theta=1.3", "override: model.theta=1.3: must be in (0, 1]"),
        ("model={theta: 1.3}", "override: model.theta=1.3: must be in (0, 1]"),
        ("model.theta", "override: 'model.theta': write path=value, such as model.theta=0.9"),
        (
            "model.theta=[1",
            "override: model.theta='[1': not valid YAML: while parsing a flow sequence, expected ',' or ']', but got '<stream end>'",
        ),
        ("model.theta.0=1", "override: model.theta.0: unknown path; a setting has no parts"),
        ("seed.x=1", "override: seed.x: unknown path; a setting has no parts"),
        ("attacks.1.epsilon=1", "override: attacks.1.epsilon: no such attack group; legal: attacks.0"),
        ("attacks.0.steps=0", "override: attacks.0.steps=0: must be a whole number >= 1, or paper"),
        ("training=", "override: training=null: must be a mapping (key: value)"),
    ],
)
def test_a_wrong_override_is_one_line_that_says_it_is_the_override(override, line):
    assert problems(GOOD, override) == [line]


@pytest.mark.parametrize("override", ["model.thta=1", "modle.theta=1", "attacks.0.epsilno=1", "=1", "..=1"])
def test_an_override_of_an_unknown_path_names_the_legal_ones(override):
    (line,) = problems(GOOD, override)
    assert line.startswith("override: ")
    assert "unknown key" in line
    assert "legal: " in line


def test_a_file_is_read_named_after_itself_and_kept_as_text(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    found = load_space(str(path), ["seed=1"])
    assert (found.space.name, found.space.grids[0].seed, found.text, found.label, found.overrides) == (
        "mine",
        (1,),
        GOOD,
        str(path),
        ("seed=1",),
    )


def test_a_built_in_space_is_found_by_name_and_its_errors_name_its_file():
    assert load_space("quickstart").label == "built-in:quickstart"
    with pytest.raises(SpaceError, match=r"^quickstart\.yaml:\d+: model\.theta=\[1\.0, 0\.95, 0\.9\]: theta=0\.95 with tensorized=false"):
        load_space("quickstart", ["model.tensorized=false"])


def test_a_space_that_is_not_there_names_the_nearest_and_all_built_in_ones():
    with pytest.raises(UserError, match=r"space 'quikstart': neither .* did you mean 'quickstart'\? built-in: ") as caught:
        load_space("quikstart")
    assert str(caught.value).endswith("built-in: " + ", ".join(name for name, _ in builtin_spaces()))


@pytest.mark.parametrize("name", ["", "a\0b", "/", "/dev/zero", "x" * 5000, "no/such.yaml", "/etc/passwd/x"])
def test_a_path_that_cannot_be_read_is_one_line(name):
    with pytest.raises(UserError) as caught:
        load_space(name)
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_that_is_not_utf8_is_one_line(tmp_path):
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"seed: 0\nname: caf\xe9\n")
    with pytest.raises(SpaceError, match=r"latin\.yaml:2: not UTF-8 text: byte 0xe9$"):
        load_space(str(path))


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path):
    path = tmp_path / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load_space(str(path)).space.grids[0].seed == (0,)


def test_an_unfit_file_name_is_reported_as_the_spaces_name(tmp_path):
    path = tmp_path / "my space.yaml"
    path.write_text(GOOD)
    with pytest.raises(SpaceError, match="name='my space': must be"):
        load_space(str(path))


def test_importing_spaces_and_sweeps_imports_neither_torch_nor_ray():
    script = "import sys, search_spaces, orchestrator.planning.expand; sys.exit(bool({'torch', 'ray', 'sqlalchemy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
