"use strict";
// The arithmetic of synaug_ray/analysis/calculator.py and interpolation.py, described there; a test holds the two equal.
// Estimates are {value, low, high}, errors are fractions, null is "not estimable".
const expectation = (() => {
  const SUBDIVISIONS = 8, ROUNDS = 4, SLACK = 1e-9;
  const TABLES = new Set(["error", "equivalent", "marginal"].flatMap((name) => [name, name + "_low", name + "_high"]));
  const NOTHING = {value: null, low: null, high: null};

  // The interval of an ascending axis that contains `at`, and the position in it, in [0, 1]; null outside.
  const axis = (values, at) => {
    const last = values.length - 1, slack = SLACK * (values[last] - values[0]);
    if (!(at >= values[0] - slack && at <= values[last] + slack)) return null;
    let i = 0;
    while (i < last - 1 && values[i + 1] <= at) i++;
    return [i, Math.min(Math.max((at - values[i]) / (values[i + 1] - values[i]), 0), 1)];
  };
  const logSizes = (surface) => surface.num_real.map(Math.log);
  const logAmounts = (surface) => surface.num_synthetic.map((s) => Math.log1p(s / surface.num_synthetic[1]));

  const interpolate = (surface, name, real, synthetic) => {
    if (!TABLES.has(name) || real <= 0 || synthetic < 0) return null;
    const row = axis(logSizes(surface), Math.log(real));
    const column = axis(logAmounts(surface), Math.log1p(synthetic / surface.num_synthetic[1]));
    if (row === null || column === null) return null;
    const logarithmic = !name.startsWith("equivalent");
    const [i, t] = row, [j, w] = column;
    let total = 0;
    const corners = [[0, 0, (1 - t) * (1 - w)], [0, 1, (1 - t) * w], [1, 0, t * (1 - w)], [1, 1, t * w]];
    for (const [di, dj, weight] of corners) {
      if (weight <= 0) continue;
      const value = surface[name][i + di][j + dj];
      if (value === null || (logarithmic && value <= 0)) return null;
      total += weight * (logarithmic ? Math.log(value) : value);
    }
    return logarithmic ? Math.exp(total) : total;
  };

  const estimate = (surface, name, real, synthetic) => ({
    value: interpolate(surface, name, real, synthetic),
    low: interpolate(surface, name + "_low", real, synthetic),
    high: interpolate(surface, name + "_high", real, synthetic),
  });

  const count = (value) => value.toLocaleString("en-US", {maximumSignificantDigits: 6});
  const outside = (surface, real, synthetic) => {
    const [low, high] = synthetic ? surface.measured_num_real : surface.measured_real_only;
    const found = [];
    if (!(low <= real && real <= high)) {
      found.push(`${count(real)} real images are outside the ${count(low)} to ${count(high)} measured ` +
        (synthetic ? "with synthetic images" : "without synthetic images"));
    }
    if (synthetic > surface.measured_num_synthetic * (1 + SLACK)) {
      found.push(`${count(synthetic)} synthetic images are more than the ` +
        `${count(surface.measured_num_synthetic)} measured`);
    } else if (synthetic > surface.measured_multiple * real * (1 + SLACK)) {
      found.push(`${(synthetic / real).toPrecision(3)} synthetic images per real one are more than the ` +
        `${count(surface.measured_multiple)} measured`);
    }
    return found;
  };

  // Synthetic images divided by the real ones that they replace; an end at which they replace none is open.
  const average = ({value, low, high}, synthetic) => {
    const over = (m) => m !== null && m > 0 ? synthetic / m : null;
    return {value: over(value), low: over(high), high: over(low)};
  };

  // As in analysis/rate_precision.py: which numbers are too uncertain to be given, and why.
  const WIDEST = 100;
  const vague = ({value, low, high}, drawn) => value !== null && drawn &&
    (low === null || high === null || low <= 0 || high > WIDEST * low);
  const undecided = (sizes, real) => {
    const exact = sizes.filter(([n]) => n === real);
    const near = exact.length ? exact : [sizes.findLast(([n]) => n < real), sizes.find(([n]) => n > real)].filter((one) => one);
    return near.length > 0 && !near.some(([, shown]) => shown);
  };
  const precise = (found, surface, real, synthetic) => {
    if (found.equivalent.value !== null && undecided(surface.decided ?? [], real)) {
      return {...found, equivalent: {...found.equivalent, value: null}, average: NOTHING, marginal: NOTHING,
        notEstimable: ["equivalent", "average", "marginal"], why: "whether these images help or hurt is undecided"};
    }
    const atCell = (surface.withheld ?? []).find(([n, s]) => n === real && s === synthetic)?.[2] ?? [];
    const names = ["average", "marginal"].filter((name) => atCell.includes(name) || vague(found[name], found.error.low !== null));
    return {...found, ...Object.fromEntries(names.map((name) => [name, NOTHING])), notEstimable: names, why: names.length
      ? `the interval of the rate is open, or spans more than a factor of ${WIDEST}` : ""};
  };

  // All predictions at one point; beyond the grid, and beyond a fall of the gain, only `outside`.
  const at = (surface, real, synthetic) => {
    const most = Math.min(surface.measured_num_synthetic, surface.measured_multiple * real);
    if (surface.falls && synthetic > most * (1 + SLACK)) {
      return {error: NOTHING, errorRealOnly: estimate(surface, "error", real, 0), equivalent: NOTHING, average: NOTHING,
        marginal: NOTHING, outside: [...outside(surface, real, synthetic), surface.falls], notEstimable: [], why: ""};
    }
    const equivalent = synthetic ? estimate(surface, "equivalent", real, synthetic) : NOTHING;
    const found = {
      error: estimate(surface, "error", real, synthetic),
      errorRealOnly: estimate(surface, "error", real, 0),
      equivalent,
      average: synthetic ? average(equivalent, synthetic) : NOTHING,
      marginal: synthetic ? estimate(surface, "marginal", real, synthetic) : NOTHING,
      outside: outside(surface, real, synthetic), notEstimable: [], why: "",
    };
    return synthetic ? precise(found, surface, real, synthetic) : found;
  };

  // Core-seconds to train one generator and to sample from it.
  const generationSeconds = (generation, real, synthetic) => {
    if (!synthetic || !generation.length) return 0;
    const sizes = generation.map((g) => Math.log(g.num_real));
    const place = sizes.length > 1 ? axis(sizes, Math.min(Math.max(Math.log(real), sizes[0]), sizes.at(-1))) : null;
    const between = (values) => place === null ? values[0]
      : (1 - place[1]) * values[place[0]] + place[1] * values[place[0] + 1];
    return between(generation.map((g) => g.generator_seconds || 0)) +
      synthetic * between(generation.map((g) => g.seconds_per_image));
  };

  // costs: {real, synthetic, coreHour, have}
  const cost = (generation, costs, real, synthetic) => costs.real * Math.max(real - costs.have, 0) +
    costs.synthetic * synthetic + costs.coreHour / 3600 * generationSeconds(generation, real, synthetic);

  // The smallest and largest num_real inside the measured range for one amount; none if they cross.
  const allowed = (surface, have, synthetic) => {
    const [low, high] = synthetic ? surface.measured_num_real : surface.measured_real_only;
    const least = Math.ceil(synthetic / surface.measured_multiple * (1 - SLACK));
    return [Math.max(Math.trunc(low), least, have), Math.trunc(high)];
  };

  const logError = (surface, real, synthetic) => {
    const error = interpolate(surface, "error", real, synthetic);
    return error === null ? Infinity : Math.log(error);
  };

  // The smallest num_real inside the measured range whose expected error is at most the target.
  const realNeeded = (surface, target, have, synthetic) => {
    const [low, high] = allowed(surface, have, synthetic);
    if (low > high) return null;
    const wanted = Math.log(target) + SLACK;
    let left = low, leftError = logError(surface, low, synthetic);
    if (leftError <= wanted) return low;
    for (const right of [...surface.num_real.filter((n) => n > low && n < high), high]) {
      const rightError = logError(surface, right, synthetic);
      if (rightError <= wanted) {
        const t = (leftError - wanted) / (leftError - rightError);
        const crossing = Math.exp(Math.log(left) + t * Math.log(right / left));
        return Math.min(Math.ceil(crossing * (1 - SLACK)), high);
      }
      [left, leftError] = [right, rightError];
    }
    return null;
  };

  const ascending = (values) => [...new Set(values)].sort((a, b) => a - b);
  const firstAmounts = (surface) => {
    const v = logAmounts(surface), first = surface.num_synthetic[1], most = Math.trunc(surface.measured_num_synthetic);
    const amounts = [most];
    for (let j = 0; j < v.length - 1; j++) {
      for (let k = 0; k < SUBDIVISIONS; k++) {
        amounts.push(Math.round(first * Math.expm1(v[j] + (v[j + 1] - v[j]) * k / SUBDIVISIONS)));
      }
    }
    return ascending(amounts.filter((s) => s <= most));
  };

  // {mix, collectOnly, reached}: each {real, synthetic, cost, error}, or null where there is none.
  const cheapest = (surface, generation, target, costs) => {
    const described = (real, synthetic) => ({real, synthetic, cost: cost(generation, costs, real, synthetic),
      error: estimate(surface, "error", real, synthetic)});
    const mix = (amount) => {
      const real = realNeeded(surface, target, costs.have, amount);
      return real === null ? null : described(real, amount);
    };
    const lowest = (mixes) => mixes.reduce((best, one) => one !== null && (best === null || one.cost < best.cost ||
      (one.cost === best.cost && one.synthetic < best.synthetic)) ? one : best, null);
    let amounts = firstAmounts(surface), best = lowest(amounts.map(mix));
    for (let round = 0; round < ROUNDS && best !== null; round++) {
      const i = amounts.indexOf(best.synthetic);
      const low = amounts[Math.max(i - 1, 0)], high = amounts[Math.min(i + 1, amounts.length - 1)];
      const steps = [...Array(SUBDIVISIONS + 1).keys()];
      amounts = ascending([[low, best.synthetic], [best.synthetic, high]].flatMap(
        ([a, b]) => steps.map((k) => Math.round(a + (b - a) * k / SUBDIVISIONS))));
      best = lowest(amounts.map(mix));
    }
    const reached = best === null ? lowestError(surface, costs.have, described) : null;
    return {mix: best, collectOnly: mix(0), reached};
  };

  // The lowest error at the grid's sizes and the first amounts, inside the measured range.
  const lowestError = (surface, have, described) => {
    let best = null;
    for (const amount of firstAmounts(surface)) {
      const [low, high] = allowed(surface, have, amount);
      if (low > high) continue;
      for (const n of [low, ...surface.num_real.filter((size) => size > low && size < high), high]) {
        const error = logError(surface, n, amount);
        if (best === null || error < best.error) best = {error, amount, n};
      }
    }
    return best === null ? null : described(Math.ceil(best.n), best.amount);
  };

  // For the sliders: the measured range of either amount, the other one held; null where there is none.
  const measured = (surface, real, synthetic) => {
    const [low, high] = surface.measured_num_real, [least, most] = surface.measured_real_only;
    const needed = Math.max(low, synthetic / surface.measured_multiple);
    const mixed = synthetic <= surface.measured_num_synthetic && needed <= high ? [needed, high] : null;
    const amounts = real >= low && real <= high
      ? [0, Math.min(surface.measured_num_synthetic, surface.measured_multiple * real)] : null;
    return {
      real: synthetic ? mixed : surface.measured_real_only,
      synthetic: amounts ?? (real >= least && real <= most ? [0, 0] : null),
    };
  };

  return {interpolate, at, cheapest, generationSeconds, measured};
})();
