"""The page of several runs: one HTML file that works without a network, made like the page of one run."""

from __future__ import annotations

from collections.abc import Sequence

from synaug_ray.analysis.comparison.comparison_results import Comparison, Group, Row, RunFiles
from synaug_ray.report import embedding, run_view, tables, text
from synaug_ray.report.figures import style
from synaug_ray.report.page import environment
from synaug_ray.report.panels import Panel
from synaug_ray.report.run_view import RunView
from synaug_ray.report.sections import advice, comparison_figures, comparison_words
from synaug_ray.report.sections import comparison as sections


def files_of(run: RunView, name: str) -> RunFiles:
    """What a comparison needs of a run, which it calls ``name``."""
    found = advice.recommended(run.laws, run.verdict, run.quality, run.status)
    table = run.measurements
    named = [] if table is None or "dataset" not in table else [str(v) for v in table["dataset"].dropna().unique()]
    return RunFiles(
        name=name,
        laws=run.laws,
        verdict=run.verdict,
        audit=run.audit,
        quality=run.quality,
        status=run.status,
        dataset=named[0] if named else "",
        advice=found.sentence if found else "",
        trials=table,
    )


def read(run: str) -> RunView:
    """The files of the run at a path or URL; without images.

    Raises:
        NoRunError: (a FileNotFoundError) if there is no run.
        StorageProblem: if the storage does not answer.
    """
    return run_view.read(run, images=False)


def render(comparison: Comparison) -> str:
    """The page, as HTML."""
    learnt = [g for g in comparison.groups if g.role in comparison_figures.LEARNT]
    others = [g for g in comparison.groups if g.role not in comparison_figures.LEARNT]
    main = _panels(learnt, "learnt", comparison_figures.QUANTITIES)
    rivals = _panels(others, "others", [q for q in comparison_figures.QUANTITIES if q.id in ("gain", "worth")])
    drawings = {p.id: p.figure.to_plotly_json() for p in [*main, *rivals]}
    rows = _learnt(comparison)
    scripts = [embedding.resource("page.js")]
    return (
        environment()
        .get_template("comparison.html.j2")
        .render(
            runs=list(dict.fromkeys(row.run for row in comparison.rows)),
            headline=comparison_words.headline(comparison),
            warnings=comparison_words.warnings(comparison),
            cards=sections.cards(comparison.rows),
            overview=sections.overview(rows) if rows else None,
            details=sections.details(rows) if rows else None,
            panels=main,
            rivals=rivals,
            rival_table=sections.overview([row for group in others for row in group.rows]) if others else None,
            means=sections.means(learnt) if learnt else None,
            explained=[
                (sections.explained(g) if g.explanations else None, comparison_words.limits(g, comparison.confidence))
                for g in learnt
            ],
            published=sections.published(),
            confidence=text.share(comparison.confidence),
            amount=None if comparison.multiple is None else text.multiple(comparison.multiple),
            comparison=comparison,
            figures_json=embedding.island(drawings, embedding.FIGURE_DIGITS),
            dark_json=embedding.island(style.DARK),
            css=embedding.resource("page.css"),
            plotly_packed=embedding.packed_plotly_js(),
            policy=embedding.policy(embedding.plotly_js(), *scripts),
            scripts=scripts,
        )
    )


def markdown(comparison: Comparison) -> str:
    """The page's first table in Markdown, for a README."""
    return tables.markdown(sections.overview(_learnt(comparison)))


def _learnt(comparison: Comparison) -> list[Row]:
    """The studies of generators that learn, and the runs without any number."""
    return [row for row in comparison.rows if row.role in (*comparison_figures.LEARNT, None)]


def _panels(groups: Sequence[Group], place: str, quantities: Sequence[comparison_figures.Quantity]) -> list[Panel]:
    found = [(quantity, quantity.shown_of(groups)) for quantity in quantities]
    return [comparison_figures.panel(shown, quantity, place) for quantity, shown in found if shown]
