"""The page of one run: a single HTML file that works without a network.

The file contains everything it needs (plotly.js, styles, scripts and images), and its content security policy forbids
all requests. Text from the run's files is escaped: by jinja2 in the page, and by ``figures.style.inert`` in figures.
Only scripts whose hashes are in the policy may run.
"""

from __future__ import annotations

import functools

import jinja2

from synaug_ray.analysis.guessing import guessing, guessing_warnings
from synaug_ray.report import embedding, panels, run_view, tables, text
from synaug_ray.report.figures import style, work
from synaug_ray.report.run_view import RunView
from synaug_ray.report.sections import (
    advice,
    audit,
    calculator,
    ceiling,
    classes,
    contrasts,
    controls,
    costs,
    fitted_laws,
    gap,
    generators,
    joint,
    labels,
    over_baselines,
    progress,
    quality,
    rounds,
    samples,
    scaling,
    second_test,
    stages,
    training,
    verdicts,
)
from synaug_ray.report.text import StudyNames
from synaug_ray.store.run_folder import PAGE, RunFolder, RunState

LARGEST = 5_900_000  # bytes, so that the page can be sent by e-mail; sample sheets get what is left


def build(run: str, *, images: bool = True) -> str:
    """Build the page of the run folder at a path or URL, as HTML; ``images=False`` leaves out all images.

    Raises:
        NoRunError: (a FileNotFoundError) if there is no run.
    """
    return render(run_view.read(run, images=images), images=images)


def write(run: str, *, images: bool = True) -> str:
    """Build the page and write it into the folder as report.html, atomically; returns its path or URL.

    Raises:
        NoRunError: if there is no run.
        StorageProblem: if the storage cannot be read or written to.
    """
    return RunFolder.at(run).write(PAGE, build(run, images=images))


def render(run: RunView, *, images: bool = True) -> str:
    """The page of a run that has already been read, as HTML."""
    laws, verdict, status = run.laws, run.verdict or {}, run.status or {}
    names = StudyNames.of((laws or {}).get("studies") or verdict.get("verdicts") or ())
    sections: dict[str, list[panels.Panel]] = {
        "exchange": panels.exchange_panels(laws, verdict, names) if laws else [],
        "equivalents": panels.equivalents_panels(laws, names) if laws else [],
        "errors": panels.error_panels(laws, names) if laws else panels.so_far_panels(run),
        "gains": panels.gain_panels(laws, names) if laws else [],
        "budgets": panels.budget_panels(laws, names) if laws else [],
        "residuals": panels.residual_panels(laws, names) if laws else [],
        "work": panels.work_panels(run.status),
    }
    found = verdict.get("verdicts") or ()
    live = calculator.of(laws, names, lambda studies: advice.by_study(run, studies)) if laws else None
    if live:
        sections["calculator"] = live.panels
    apart = gap.of(verdict, laws)
    if apart:
        sections["gap"] = list(apart.panels)
    alone = scaling.of(laws, run.by_class)
    if alone:
        sections["scaling"], sections["trade_off"] = list(alone.panels), list(alone.trade_off)
    looks = rounds.of(run.decisions)
    if looks:
        sections["rounds"] = list(looks.panels)
    sections["planes"] = quality.plane_panels(run.quality)
    drawings = {p.id: p.figure.to_plotly_json() for section in sections.values() for p in section}
    own = ("page", "format", "expectation", "curves", "calculator") if live else ("page",)
    scripts = [embedding.resource(f"{name}.js") for name in own]
    parts = dict(
        run=run,
        status=status,
        env=run.env or {},
        laws=laws,
        sections=sections,
        progress=progress.of(run),
        headline=verdict.get("headline") or "",
        card=advice.card(run),
        sureness=verdicts.sureness(laws, verdict),
        warnings=_warnings(run),
        labels=labels.table(laws, names),
        label_words=labels.sentences(laws),
        ceiling=ceiling.table(laws, names),
        ceiling_words=ceiling.sentences(laws),
        over_baselines=over_baselines.table(laws, names),
        over_baselines_words=over_baselines.sentences(laws),
        budget_words=[str(curve["sentence"]) for curve in (laws or {}).get("budgets") or ()],
        error_name=text.error_name(laws),
        stages=stages.table(tables.list_in(laws, "staged")),
        joint=joint.table(laws),
        joint_words=tables.list_in(laws, "joint_words"),
        training=training.table(tables.list_in(laws, "training_lengths")),
        matrix=verdicts.matrix(found, names, verdict) if found else None,
        deciding_note=verdicts.deciding_note(laws, found),
        verdict_table=verdicts.full_table(found, names) if found else None,
        cost_lines=costs.lines(found, laws, names, run.env),
        costs=costs.table(found, laws, names, run.env),
        calculator=live,
        surfaces_json=embedding.island(live.data) if live else "",
        chosen=fitted_laws.chosen_fits(laws, names) if laws else None,
        fits=fitted_laws.all_fits(laws, names) if laws else (),
        primary=fitted_laws.primary(laws, names) if laws else None,
        controls=controls.table(laws["controls"]) if laws and laws.get("controls") else None,
        failed_controls=controls.failed(laws["controls"]) if laws and laws.get("controls") else [],
        quality=quality.table(run.quality),
        quality_warnings=quality.warnings(run.quality),
        quality_notes=quality.notes(run.quality),
        audit=audit.table(run.audit),
        second=second_test.of(verdict, names),
        contrasts=contrasts.of(verdict),
        gap=apart,
        scaling=alone,
        rounds=looks,
        classes=classes.table(run.by_class),
        two_classes=classes.two(run.by_class),
        images=images,
        spent=work.spent(status.get("cpu_seconds") or status.get("seconds")),
        generators=generators.table(status),
        failures=tables.of_dicts(status.get("failures") or (), "Failures"),
        seconds=text.seconds,
        moment=text.moment,
        share=text.share,
        slug=verdicts.slug,
        figures_json=embedding.island(drawings, embedding.FIGURE_DIGITS),
        dark_json=embedding.island(style.DARK),
        css=embedding.resource("page.css"),
        plotly_packed=embedding.packed_plotly_js(),
        policy=embedding.policy(embedding.plotly_js(), *scripts),
        scripts=scripts,
    )
    template = environment().get_template("page.html.j2")
    bare = template.render(parts, sheets=(), sheets_left_out=0)
    if not images or not run.samples:
        return bare
    sheets, left_out = samples.rows(run.samples, LARGEST - len(bare.encode()))
    return template.render(parts, sheets=sheets, sheets_left_out=left_out)


def _warnings(run: RunView) -> list[str]:
    """All warnings of the analysis, the data audit and the quality checks, each once."""
    # the first also for runs that were analysed before there was this warning
    said = [
        *guessing_warnings(guessing(run.laws or {})),
        *(run.verdict or {}).get("warnings", ()),
        *(run.laws or {}).get("warnings", ()),
    ]
    said += second_test.warnings(run.verdict)
    said += [*audit.warnings(run.audit), *quality.warnings(run.quality)]
    if (run.status or {}).get("state") != RunState.RUNNING:  # what a run has not checked yet, it still may
        found = (run.verdict or {}).get("verdicts") or ()
        said += quality.unchecked(run.quality, found)
        said += training.unchecked(tables.list_in(run.laws, "training_lengths"), found, run.grid)
    return list(dict.fromkeys(said))


@functools.cache
def environment() -> jinja2.Environment:
    """The templates of ``report/html``; what they show is escaped."""
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(embedding.resource),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
