"""Figures of results: Plotly figures, with the tables they are drawn from, made of frozen values. Needs neither SQL nor torch."""

from orchestrator.report.figures.curves import accuracy_curves
from orchestrator.report.figures.difficulty import example_difficulty
from orchestrator.report.figures.heat import heat_maps
from orchestrator.report.figures.minimum_norm_curves import minimum_norm_curves
from orchestrator.report.figures.picture import Picture, Pictures, plain, shown_first
from orchestrator.report.figures.scatter import cost_plots, model_points, pareto_fronts
from orchestrator.report.figures.surface_contours import SurfacePlot, loss_surfaces
from orchestrator.report.figures.theme import CONFIG, TEMPLATES
from orchestrator.report.figures.training_curves import training_curves

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
