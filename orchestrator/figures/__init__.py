"""Figures of results: Plotly figures, with the tables they are drawn from, made of frozen values. Needs neither SQL nor torch."""

from orchestrator.figures.curves import accuracy_curves
from orchestrator.figures.difficulty import example_difficulty
from orchestrator.figures.heat import heat_maps
from orchestrator.figures.minimum_norm_curves import minimum_norm_curves
from orchestrator.figures.picture import Picture, Pictures, plain, shown_first
from orchestrator.figures.scatter import cost_plots, model_points, pareto_fronts
from orchestrator.figures.surface_contours import SurfacePlot, loss_surfaces
from orchestrator.figures.theme import CONFIG, TEMPLATES
from orchestrator.figures.training_curves import training_curves

__all__ = [
    "CONFIG",
    "TEMPLATES",
    "Picture",
    "Pictures",
    "SurfacePlot",
    "accuracy_curves",
    "cost_plots",
    "example_difficulty",
    "heat_maps",
    "loss_surfaces",
    "minimum_norm_curves",
    "model_points",
    "pareto_fronts",
    "plain",
    "shown_first",
    "training_curves",
]
