"""Page of one test example under one model: its image or sound, its adversarial versions, and its share of right classifications."""

from collections.abc import Collection, Mapping, Sequence
from typing import cast, get_args

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from orchestrator.dashboard.cached_reads import read_rows
from orchestrator.dashboard.context import opened, paths
from orchestrator.dashboard.elements import choose_sweep, draw, problem, waveform_figure
from orchestrator.dashboard.models_page import choose_model
from orchestrator.report.examples.attacked import AttackedExamples, attacked_examples
from orchestrator.report.examples.panels import Example, Guess
from orchestrator.report.examples.renderings import Array, as_wav, enlarged, image_pixels, is_image, loudness_of, perturbation_range
from orchestrator.report.examples.stored import class_named, clean_examples, data_of
from orchestrator.report.figures.picture import Record
from orchestrator.statistics.worst_case import Flags
from orchestrator.store import ResultRow
from orchestrator.store.reading.dashboard_queries import evaluation_keys
from orchestrator.store.reading.keeping_attacks import keeping_attacks
from orchestrator.store.reading.report_evidence import example_flags
from orchestrator.tables.table import Value
from orchestrator.terminal.escaping import markdown
from workers.errors import ArtifactError, DataError, UserError
from workers.spec.component import DataSpec
from workers.spec.fields import ExampleOrder

_PIXELS = 360  # height of a picture
_ORDERS = ("in the order of evaluation", "hardest first", "easiest first")


def page() -> None:
    """Show an example, chosen by its place in an order: by number, or by its share of right classifications."""
    sweep = choose_sweep().name
    key = choose_model(sweep).model_key
    rows = [row for row in read_rows(sweep, models=[key]) if row.split == "test"]
    if not rows:
        st.info("No evaluation or attack of this model on test examples is done yet.")
        return
    with opened() as store:
        evaluations = evaluation_keys(store, key)
        order = _choose_order({*evaluations.values(), *(row.example_order for row in rows)})
        rows = [row for row in rows if row.example_order == order]
        clean = [job for job, of in evaluations.items() if of == order]
        flags = example_flags(store, {*clean, *(job for row in rows for job in row.job_keys)})
        made = {one.job_key: one.description for one in keeping_attacks(store, model=key, tried=True) if one.order == order}
    example = _choose_example(flags)
    _outcomes(outcomes(rows, clean, flags, example))
    st.subheader("The example")
    try:
        inputs, label = _clean(key, (_counted(flags), order), example)
    except (ArtifactError, UserError) as error:
        problem("The data set cannot be read here:", str(error))
    else:
        st.caption(f"Its class is {markdown(class_named(paths().artifacts, key, label))}.")
        _pictures(inputs, made, example)


def _choose_order(there: Collection[str]) -> ExampleOrder:
    """Return the order of the test examples of which the measurements have the first ones: an example's number means another in each."""
    orders = [order for order in get_args(ExampleOrder) if order in there]
    if len(orders) > 1:
        return cast("ExampleOrder", st.selectbox("Order of the test examples", orders, key="example_order"))
    return cast("ExampleOrder", orders[0])


def _choose_example(flags: dict[str, Flags]) -> int:
    shares = right_shares(flags)
    left, right = st.columns(2)
    order = left.selectbox("Examples", _ORDERS, key="order")
    place = int(right.number_input("Place in that order", 0, len(shares) - 1, key="place"))
    with st.container(horizontal=True):
        st.button("Previous", shortcut="Left", on_click=_step, args=(-1, len(shares)), disabled=place == 0)
        st.button("Next", shortcut="Right", on_click=_step, args=(1, len(shares)), disabled=place == len(shares) - 1)
    example = int(ordered(shares, order)[place])
    share = shares[example]
    said = f"over all clean evaluations and attacks of this model it was right in {100 * share:.1f} %"
    st.caption(f"Example {example} of {len(shares)}: {said}." if np.isfinite(share) else f"Example {example} of {len(shares)}.")
    return example


def _step(by: int, count: int) -> None:
    """Go on to a neighbour in the order."""
    st.session_state["place"] = min(max(int(st.session_state["place"]) + by, 0), count - 1)


def _counted(flags: dict[str, Flags]) -> int:
    most: int = max(found.shape[1] for found in flags.values())
    return most


def right_shares(flags: dict[str, Flags]) -> NDArray[np.float64]:
    """Return the share of right classifications of each example, over all measurements that it is in, (examples,)."""
    count = _counted(flags)
    right, measured = np.zeros(count), np.zeros(count)
    for found in flags.values():
        right[: found.shape[1]] += found.sum(axis=0)
        measured[: found.shape[1]] += len(found)
    shares: NDArray[np.float64] = right / measured
    return shares


def ordered(shares: NDArray[np.float64], order: str) -> NDArray[np.intp]:
    """Return the examples' numbers in one of the orders."""
    if order == _ORDERS[0]:
        return np.arange(len(shares))
    return np.argsort(shares if order == _ORDERS[1] else -shares, kind="stable")


def _outcomes(found: list[Record]) -> None:
    st.subheader("Classified right")
    right = st.column_config.ProgressColumn("right %", format="%.0f", min_value=0, max_value=100)
    order = ("attack", "epsilon", "right %", "evaluations", "knowledge", "norm", "steps")
    st.dataframe(found, hide_index=True, column_config={"right %": right}, column_order=order, placeholder="-")


def outcomes(rows: Sequence[ResultRow], clean: Sequence[str], flags: dict[str, Flags], example: int) -> list[Record]:
    """Return the share of draws and repeats in which the example was right: without attack (the jobs `clean`), and under each attack."""
    plain = {"attack": "none", "knowledge": None, "norm": None, "epsilon": "0", "steps": None}
    found: list[tuple[Mapping[str, Value], Sequence[str]]] = [(plain, clean)]
    for row in rows:
        if row.attack != "none":
            attack = {"attack": row.attack, "knowledge": row.knowledge, "norm": row.norm, "epsilon": row.epsilon_literal}
            found.append(({**attack, "steps": row.attack_settings.get("steps")}, row.job_keys))
    table: list[Record] = []
    for settings, keys in found:
        right = [flags[key][:, example] for key in keys if key in flags and flags[key].shape[1] > example]
        if right:
            said = np.concatenate(right)
            table.append({**settings, "right %": round(100 * float(said.mean()), 1), "evaluations": len(said)})
    return table


@st.cache_resource(max_entries=2, show_spinner="Reading the data set")
def _test_split(data: DataSpec, count: int, order: ExampleOrder) -> tuple[Array, NDArray[np.int64]]:
    return clean_examples(data, count, order=order, root=paths().data_root)


@st.cache_resource(max_entries=2, show_spinner="Reading adversarial examples")
def _attacked(job_key: str) -> AttackedExamples:
    with opened() as store:
        return attacked_examples(store, paths().artifacts, job_key, root=paths().data_root)


def _clean(model_key: str, first: tuple[int, ExampleOrder], example: int) -> tuple[Array, int]:
    inputs, labels = _test_split(data_of(paths().artifacts, model_key), *first)
    return inputs[example], int(labels[example])


def _pictures(clean: Array, made: Mapping[str, str], example: int) -> None:
    """Show the example as one of the attacks has changed it; `made` describes them by the keys of their jobs."""
    if not made:
        st.caption(
            "No artifact keeps adversarial examples of this model; attacks with keep_examples do, and of knowledge omniscient or transfer."
        )
        _show("clean", clean)
        return
    names = {key: f"{description} ({key[:8]})" for key, description in made.items()}
    job = st.selectbox("Attack", list(made), format_func=names.__getitem__, key="crafted")
    try:
        found = _attacked(job)
    except (ArtifactError, DataError, UserError) as error:
        problem("The adversarial examples cannot be read:", str(error))
        _show("clean", clean)
        return
    place = next(iter((found.places == example).nonzero()[0]), None)
    if place is None:
        st.caption(f"This attack keeps {len(found)} other examples, from {found.places[0]} to {found.places[-1]}.")
        _show("clean", clean)
    else:
        _compare(found.examples[place])


def _compare(perturbed: Example) -> None:
    if is_image(perturbed.clean):
        with st.container(horizontal=True):
            _show(f"clean{_predicted(perturbed.before)}", perturbed.clean)
            _show(f"adversarial{_predicted(perturbed.after)}", perturbed.adversarial)
            _show("the difference, amplified", perturbation_range(perturbed.perturbation))
    else:
        _show(f"clean{_predicted(perturbed.before)}", perturbed.clean)
        _show(f"adversarial{_predicted(perturbed.after)}", perturbed.adversarial)
        loudness = loudness_of(perturbed.perturbation)
        st.caption(f"the difference, {loudness:.3g} times as loud")
        st.audio(as_wav(perturbed.perturbation, loudness=loudness), format="audio/wav")
        draw(waveform_figure(perturbed), key="waveforms")
    shown = f", which is {255 * perturbed.largest:.2f}/255" if is_image(perturbed.clean) else ""
    st.caption(f"Largest change of any input value: {perturbed.largest:.5f}{shown}.")


def _predicted(guess: Guess | None) -> str:
    """Prediction of the network for the example, to follow the name of its picture."""
    if guess is None:
        return ""
    share = "" if guess.confidence is None else f", {100 * guess.confidence:.1f} %"
    return f": taken for {markdown(guess.name)} ({'right' if guess.is_right else 'wrong'}{share})"


def _show(caption: str, example: Array) -> None:
    if is_image(example):
        st.image(enlarged(image_pixels(example), _PIXELS), caption=caption, alt=caption)
    else:
        st.caption(caption)
        st.audio(as_wav(example), format="audio/wav")
