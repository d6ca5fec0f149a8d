"use strict";
// The calculator's two figures and their tables: expected error against either amount, the other one as chosen.
// Their traces and axes come from figures/expected.py.
const curves = (() => {
  const {interval, images, moreImages, percent, rate, logTicks, write} = format;
  const POINTS = 60;  // of a curve, beside the ends of the measured range and the choice

  const pointsOf = (axis, surface, scale, choice) => {
    const grid = axis === "real" ? surface.num_real : surface.num_synthetic;
    const ends = expectation.measured(surface, choice.real, choice.synthetic)[axis] ?? [];
    const even = [...Array(POINTS + 1).keys()].map((i) => scale.value(i / POINTS));
    const values = [...grid, ...even, ...ends, choice[axis]].filter((n) => n >= grid[0] && n <= grid.at(-1));
    return [...new Set(values)].sort((a, b) => a - b).map((value) => {
      const at = {...choice, [axis]: value};
      return {value, x: scale.place(value), ...expectation.at(surface, at.real, at.synthetic)};
    });
  };

  const hover = ({value, error, outside}) => `${images(value)} images<br>${interval(error, percent)} %` +
    (outside.length ? "<br>extrapolated" : "");
  const line = (points) => ({
    x: points.map(({x}) => x), y: points.map(({error}) => 100 * error.value), hovertext: points.map(hover),
  });
  const ribbon = (points) => {
    const whole = points.filter(({error}) => error.low > 0 && error.high !== null), back = [...whole].reverse();
    return {
      x: [...whole, ...back].map(({x}) => x),
      y: [...whole.map(({error}) => 100 * error.low), ...back.map(({error}) => 100 * error.high)],
    };
  };
  // All of the curve, and of its interval what does not crush it.
  const rangeOf = (points) => {
    if (!points.length) return [1, 100];
    const values = points.map(({error}) => 100 * error.value);
    const lows = points.map(({error}) => 100 * error.low).filter((low) => low > 0);
    const least = Math.max(Math.min(...values, ...lows), 0.4 * Math.min(...values));
    const most = Math.max(...values, ...points.map(({error}) => 100 * error.high));
    return [least / 1.1, Math.max(Math.min(1.1 * most, 100), 1.2 * least)];
  };

  const fillTable = (axis, points) => {
    const body = document.getElementById("figure-expected-" + axis).parentElement.querySelector("tbody");
    body.replaceChildren(...points.map(({value, error, equivalent, marginal, outside}) => {
      const row = document.createElement("tr");
      for (const [numbers, text] of [
        [{value}, images(value) + (outside.length ? " (extrapolated)" : "")],
        [error, interval(error, percent)],
        [equivalent, interval(equivalent, moreImages)],
        [marginal, interval(marginal, rate)],
      ]) {
        const cell = row.insertCell();
        cell.className = "number";
        write(cell, numbers, text);
      }
      return row;
    }));
  };

  // choice: {real, synthetic, target}, the target in percent
  const draw = (axis, surface, scale, choice) => {
    const figure = page.figures["expected-" + axis], grid = axis === "real" ? surface.num_real : surface.num_synthetic;
    const points = pointsOf(axis, surface, scale, choice), known = points.filter(({error}) => error.value > 0);
    const measured = known.filter(({outside}) => outside.length === 0);
    const chosen = known.filter(({value}) => value === choice[axis]);
    const target = {x: [0, 1], y: [choice.target, choice.target]};
    [ribbon(known), ribbon(measured), line(known), line(measured), target, line(chosen)].forEach(
      (numbers, i) => Object.assign(figure.data[i], numbers));
    const range = rangeOf(known), levels = logTicks(...range);
    const ticks = axis === "real" ? logTicks(grid[0], grid.at(-1)) : [0, ...logTicks(grid[1], grid.at(-1))];
    Object.assign(figure.layout.xaxis,
      {range: [-0.02, 1.02], tickvals: ticks.map(scale.place), ticktext: ticks.map(images)});
    Object.assign(figure.layout.yaxis,
      {range: range.map(Math.log10), tickvals: levels, ticktext: levels.map(String)});
    page.drawOne("expected-" + axis);
    fillTable(axis, points.filter(({value}) => grid.includes(value) || value === choice[axis]));
  };

  return {draw};
})();
