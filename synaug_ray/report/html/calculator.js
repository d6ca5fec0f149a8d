"use strict";
// The calculator: fields and sliders in, the answers of expectation.js out. Its state is the address' hash.
(() => {
  const surfaces = JSON.parse(document.getElementById("surfaces").textContent);
  const element = (id) => document.getElementById("calc-" + id);
  const FIELDS = ["real", "synthetic", "target", "own", "cost-real", "cost-synthetic", "cost-hour"];
  const WHOLE = new Set(["real", "synthetic", "own"]);
  const {percent, images, rate, money, duration, significant, interval, write, logScale, fromZero} = format;
  let state = {};

  const within = (place) => Math.min(1, Math.max(0, place));

  const study = () => surfaces.studies[state.study];
  const scales = () => {
    const {num_real: sizes, num_synthetic: amounts, error} = study().surface;
    const errors = error.flat().filter((value) => value !== null && value > 0);
    return {
      real: logScale(sizes[0], sizes.at(-1)),
      synthetic: fromZero(amounts[1], amounts.at(-1)),
      target: logScale(80 * Math.min(...errors), 100 * Math.max(...errors)),
      own: fromZero(sizes[0], sizes.at(-1)),
      "cost-real": fromZero(0.01, 1000),
      "cost-synthetic": fromZero(1e-5, 10),
      "cost-hour": fromZero(0.01, 100),
    };
  };

  // The first question: how to get from the smallest measured size to the error of the largest.
  const opening = (index) => {
    const {surface} = surfaces.studies[index];
    const least = surface.measured_num_real[0], most = surface.measured_real_only[1];
    const start = {study: index, real: least, own: least, "cost-real": 1, "cost-synthetic": 0, "cost-hour": 0.05};
    start.synthetic = Math.min(surface.measured_num_synthetic, Math.round(least * surface.measured_multiple));
    const target = expectation.at(surface, most, 0).error.value;
    start.target = target === null ? 10 : Math.ceil(target * 1e4) / 100;
    return start;
  };

  const remembered = () => {
    const entries = new URLSearchParams(location.hash.slice(1));
    const asked = Number(entries.get("study") ?? surfaces.start);
    const index = Number.isInteger(asked) && surfaces.studies[asked] ? asked : surfaces.start;
    const found = opening(index);
    for (const field of FIELDS) {
      const value = Number(entries.get(field));
      if (entries.has(field) && entries.get(field) !== "" && valid(field, value)) found[field] = value;
    }
    return found;
  };
  const remember = () => {
    const hash = new URLSearchParams(Object.entries(state).map(([name, value]) => [name, String(value)]));
    history.replaceState(null, "", "#" + hash);
  };
  const valid = (field, value) => Number.isFinite(value) && (!WHOLE.has(field) || Number.isInteger(value)) &&
    (field === "real" || field === "target" ? value > 0 : value >= 0) && (field !== "target" || value < 100);

  // What is shown.
  const showAnswers = () => {
    const expected = expectation.at(study().surface, state.real, state.synthetic);
    const {error, equivalent, average, marginal, outside, notEstimable: withheld} = expected;
    const {caution, unknown} = study(), why = unknown || expected.why;
    const notEstimable = why ? "not estimable: " + why : "not estimable";
    const nothing = equivalent.value === null && marginal.low === null;
    const first = withheld[0];  // says why, the others do not repeat it
    const synthetic = (name, none) => expected[name].value !== null ? `${interval(expected[name], rate)} synthetic`
      : withheld.includes(name) ? (name === first ? notEstimable : "not estimable")
      : nothing ? notEstimable : none;
    write(element("error"), error, error.value === null ? "not estimable" : interval(error, percent) + " %");
    write(element("equivalent"), equivalent, state.synthetic === 0 ? "no synthetic images"
      : equivalent.value === null ? (equivalent.low === null || equivalent.high === null ? notEstimable
        : notEstimable.replace("not estimable", `not estimable (${images(Math.max(equivalent.low + state.real, 0))} to ` +
          `${images(Math.max(equivalent.high + state.real, 0))} real)`)) : interval(shifted(equivalent, state.real), images) + " real");
    write(element("average"), average, state.synthetic === 0 ? "–"
      : synthetic("average", "not reachable: they replace no real image"));
    write(element("marginal"), marginal, synthetic("marginal", caution ? "not estimable"  // only laws could say, and none fits
      : "not reachable: more of them replace no real image"));
    element("caution").hidden = caution === "";
    element("caution").textContent = caution;
    const warning = element("outside");
    warning.hidden = outside.length === 0;
    const {num_real: sizes, num_synthetic: amounts, falls} = study().surface;
    warning.textContent = outside.length === 0 ? "" : outside.join("; ") + (falls && outside.includes(falls) ? "."
      : error.value === null
      ? `: predictions reach from ${images(Math.ceil(sizes[0]))} to ${images(Math.floor(sizes.at(-1)))} real and up to ` +
        `${images(Math.floor(amounts.at(-1)))} synthetic images.`
      : ": extrapolated, so the law may be wrong here.");
    return `${element("error").textContent} expected${outside.length ? ", extrapolated" : ""}.`;
  };
  const shifted = ({value, low, high}, by) => {
    const [a, b, c] = [value, low, high].map((end) => end === null ? null : Math.max(end + by, 0));
    return {value: a, low: b, high: c};
  };

  const showMix = () => {
    const {surface, generation} = study();
    const costs = {real: state["cost-real"], synthetic: state["cost-synthetic"], coreHour: state["cost-hour"],
      have: state.own};
    const {mix, collectOnly, reached} = expectation.cheapest(surface, generation, state.target / 100, costs);
    const doubt = mix === null ? "" : unknownMix(mix) || unknownCollection(mix, costs.have);
    element("use").hidden = mix === null || doubt !== "";
    for (const name of ["real", "synthetic"]) {
      if (mix === null || doubt) delete element("mix").dataset[name];
      else element("mix").dataset[name] = String(mix[name]);
    }
    write(element("mix"), {value: mix && !doubt ? mix.cost : null}, doubt || (mix ? mixWords(mix) : noneWords(reached)));
    element("parts").textContent = doubt ? "" : mix ? partsWords(mix, costs, generation) : "";
    const open = mix !== null && whyNot(mix.real).startsWith("Not known");  // whether they help is not known
    write(element("alone"), {value: collectOnly && collectOnly.cost},
      study().unknown ? "" : aloneWords(mix, collectOnly, open));
    return element("mix").textContent;
  };
  // As in analysis/recommendation.py, a mix is recommended if the measured sizes on both sides of it show a gain.
  const unknownMix = ({real, synthetic}) => synthetic === 0 ? "" : whyNot(real);
  const unknownCollection = ({real}, have) => study().unknown && real > have
    ? `Not known yet: by the fitted curve ${images(real)} real images alone would do, but ${study().unknown}. Run the ` +
      "same command with draws=6 or more, or with more test images."
    : "";
  const whyNot = (real) => {
    const {advice} = study(), exact = advice.filter(({num_real}) => num_real === real);
    const near = exact.length ? exact : [advice.findLast(({num_real}) => num_real < real),
      advice.find(({num_real}) => num_real > real)].filter((one) => one);
    if (near.length === 0) return "Not known yet: nothing was judged with synthetic images. Run the grid first.";
    const against = near.map(({why_not}) => why_not).filter((why) => why);
    return against.find((why) => why.startsWith("Not known")) ?? against[0] ?? "";  // what one leaves open is open
  };
  const mixWords = ({real, synthetic, cost}) =>
    `${images(real)} real and ${synthetic ? images(synthetic) : "no"} synthetic images, for ${money(cost)} in all.`;
  const partsWords = (mix, costs, generation) => {
    const more = Math.max(mix.real - costs.have, 0);
    const words = [more ? `Collect ${images(more)} more for ${money(costs.real * more)}.` : "Collect no more."];
    if (mix.synthetic) {
      const spent = mix.cost - costs.real * more;
      const seconds = expectation.generationSeconds(generation, mix.real, mix.synthetic);
      words.push(`Generate ${images(mix.synthetic)} for ${money(spent)}` +
        (seconds ? `, about ${duration(seconds)} of one device, as measured.` : "."));
    }
    return words.concat(`Expected: ${interval(mix.error, percent)} %.`).join(" ");
  };
  const noneWords = (reached) => reached === null
    ? "No answer: you have more real images than were measured."
    : `No mix in the measured range reaches ${state.target} %. The lowest expected error there is ` +
      `${percent(reached.error.value)} %, with ${images(reached.real)} real and ${images(reached.synthetic)} ` +
      "synthetic images.";
  const aloneWords = (mix, alone, open) => {
    if (mix === null) return "";
    if (alone === null) return "Real images alone do not reach it in the measured range.";
    return mix.synthetic === 0
      ? open ? "Whether synthetic images would make it cheaper is not known." : "Synthetic images would not make it cheaper."
      : `Real images alone: ${images(alone.real)}, for ${money(alone.cost)}.`;
  };

  const showFields = (typedIn) => {
    const all = scales();
    for (const field of FIELDS) {
      const number = element(field), slider = element(field + "-slider");
      if (typedIn !== field) number.value = String(state[field]);
      number.removeAttribute("aria-invalid");
      const place = within(all[field].place(state[field]));
      if (typedIn !== field + "-slider") slider.value = String(Math.round(1000 * place));
      slider.setAttribute("aria-valuetext", number.value + (field === "target" ? " percent" : ""));
    }
    element("cost-hour").closest(".field").hidden = study().generation.length === 0;  // nothing measured to price
    const known = expectation.measured(study().surface, state.real, state.synthetic);
    for (const [field, range] of Object.entries(known)) {
      const band = element(field + "-band"), {place} = all[field], [low, high] = range ?? [0, 0];
      band.hidden = range === null;
      band.style.left = 100 * within(place(low)) + "%";
      band.style.right = 100 * (1 - within(place(high))) + "%";
    }
  };

  let waiting = 0, drawing = 0, opened = false;
  const show = (typedIn = "") => {
    element("study").value = String(state.study);
    showFields(typedIn);
    const said = [showAnswers(), showMix()].join(" ");
    if (opened) {  // not for the initial answers, which the reader did not ask for
      remember();
      clearTimeout(waiting);
      waiting = setTimeout(() => { element("said").textContent = said; }, 500);  // once the reader pauses
    }
    opened = true;
    cancelAnimationFrame(drawing);
    drawing = requestAnimationFrame(() => {
      for (const axis of ["real", "synthetic"]) curves.draw(axis, study().surface, scales()[axis], state);
    });
  };

  for (const field of FIELDS) {
    element(field).addEventListener("input", ({target}) => {
      const value = target.value === "" ? NaN : Number(target.value);
      if (!valid(field, value)) return target.setAttribute("aria-invalid", "true");
      state[field] = value;
      show(field);
    });
    element(field).addEventListener("change", () => showFields(""));  // an invalid entry returns to the last valid one
    element(field + "-slider").addEventListener("input", ({target}) => {
      const value = scales()[field].value(Number(target.value) / 1000);
      state[field] = WHOLE.has(field) ? Math.round(significant(value, 3)) : significant(value, 3);
      show(field + "-slider");
    });
  }
  element("study").addEventListener("change", ({target}) => {
    state.study = Number(target.value);
    show();
  });
  element("use").addEventListener("click", () => {
    const {real, synthetic} = element("mix").dataset;
    state = {...state, real: Number(real), synthetic: Number(synthetic)};
    show();
  });
  window.addEventListener("hashchange", () => { state = remembered(); show(); });

  state = remembered();
  show();
})();
