"""One run folder in, one page out: a single HTML file that works without a network.

Nothing in the page comes from elsewhere: plotly.js, styles, script and images
lie inside it, and its content security policy forbids every request. Text from
the run's files is escaped by jinja2 in the page and by ``figures.style.inert``
in the figures; the only scripts that may run are the two whose hashes the
policy names.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.resources
import json
from collections.abc import Mapping
from typing import Any

import jinja2
import plotly.offline
from plotly.utils import PlotlyJSONEncoder

from synaug_ray.report import (
    controls,
    forms,
    panels,
    progress,
    run_folder,
    samples,
    tables,
    verdicts,
    wording,
)
from synaug_ray.report.figures import style
from synaug_ray.report.run_folder import RunView
from synaug_ray.report.wording import StudyNames

PAGE = "report.html"


def build(run: str, *, images: bool = True) -> str:
    """The page of the run folder at a path or URL, as HTML; ``images=False`` leaves out every pixel of data.

    Raises run_folder.NoRunError (a FileNotFoundError) where there is no run.
    """
    return render(run_folder.read(run, images=images), images=images)


def write(run: str, *, images: bool = True) -> str:
    """Build the page and put it into the folder as report.html, whole or not at all; returns where it lies.

    Raises run_folder.NoRunError where there is no run, OSError where the storage refuses.
    """
    return run_folder.write_text(run, PAGE, build(run, images=images))


def render(run: RunView, *, images: bool = True) -> str:
    """The page of a run already read."""
    laws, verdict, status = run.laws, run.verdict or {}, run.status or {}
    names = StudyNames.of((laws or {}).get("studies") or verdict.get("verdicts") or ())
    sections: dict[str, list[panels.Panel]] = {
        "exchange": panels.exchange_panels(laws, verdict, names) if laws else [],
        "equivalents": panels.equivalents_panels(laws, names) if laws else [],
        "errors": panels.error_panels(laws, names) if laws else panels.so_far_panels(run),
        "gains": panels.gain_panels(laws, names) if laws else [],
        "residuals": panels.residual_panels(laws, names) if laws else [],
        "work": panels.work_panels(run.status),
    }
    drawings = {p.id: p.figure.to_plotly_json() for section in sections.values() for p in section}
    sheets, left_out = samples.rows(run.samples) if images else ((), 0)
    plotly_js, page_js = plotly.offline.get_plotlyjs(), _resource("page.js.j2")
    found = verdict.get("verdicts") or ()
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            run=run,
            status=status,
            env=run.env or {},
            laws=laws,
            sections=sections,
            progress=progress.of(run),
            headline=verdict.get("headline") or "",
            sureness=verdicts.sureness(laws, verdict),
            warnings=list(dict.fromkeys([*verdict.get("warnings", ()), *(laws or {}).get("warnings", ())])),
            matrix=verdicts.matrix(found, names, wording.finite(verdict.get("delta"))) if found else None,
            verdict_table=verdicts.full_table(found, names) if found else None,
            chosen=forms.chosen_fits(laws, names) if laws else None,
            fits=forms.all_fits(laws, names) if laws else (),
            controls=controls.table(laws["controls"]) if laws and laws.get("controls") else None,
            failed_controls=controls.failed(laws["controls"]) if laws and laws.get("controls") else [],
            sheets=sheets,
            sheets_left_out=left_out,
            images=images,
            generators=_generators(status),
            failures=tables.of_dicts(status.get("failures") or (), "Failures"),
            seconds=wording.seconds,
            moment=wording.moment,
            share=wording.share,
            slug=verdicts.slug,
            figures_json=_island(drawings),
            dark_json=_island(style.DARK),
            plotly_js=plotly_js,
            page_js=page_js,
            css=_resource("page.css.j2"),
            policy=_policy(plotly_js, page_js),
        )
    )


def _generators(status: Mapping[str, Any]) -> tables.Table:
    form = {
        "seconds": wording.plain,
        "num_real": wording.images,
        "nimg": wording.images,
        "images_per_second_sampling": wording.plain,
        "draw": wording.plain,
    }
    columns = ("generator", "num_real", "draw", "seconds", "nimg", "images_per_second_sampling")
    titles = (
        "generator",
        "real images",
        "draw",
        "training seconds",
        "images seen",
        "images sampled per second",
    )
    return tables.Table(
        "Generators",
        titles,
        tuple(
            tuple(
                tables.number(g.get(c), form[c], missing="–") if c in form else tables.words(g.get(c))
                for c in columns
            )
            for g in status.get("generators") or ()
        ),
    )


def _island(value: Any) -> str:
    """JSON that can stand inside a <script> element: no text in it can end the element or open a comment."""
    text = json.dumps(value, cls=PlotlyJSONEncoder, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _policy(*scripts: str) -> str:
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts
    )
    # Styles: plotly.js sets them on its elements. Images: samples, and a figure being saved as a file.
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _resource(name: str) -> str:
    return importlib.resources.files("synaug_ray.report").joinpath(name).read_text(encoding="utf-8")


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(_resource),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
