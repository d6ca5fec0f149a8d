"use strict";
// How numbers read, as report/text.py writes them, and where ticks and sliders stand.
const format = (() => {
  const minus = (text) => text.replace(/^-(?=[0.,]*$)/, "").replaceAll("-", "\u2212"); // no minus before zero
  const percent = (fraction) => minus((100 * fraction).toFixed(2));
  const images = (count) => minus(count.toLocaleString("en-US", {maximumFractionDigits: Math.abs(count) < 10 ? 1 : 0}));
  const moreImages = (count) => count > 0 ? "+" + images(count) : images(count);
  const rate = (value) => minus(value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3));
  const money = (value) => value.toLocaleString("en-US",
    value === 0 || value >= 1 ? {maximumFractionDigits: value >= 1000 ? 0 : 2} : {maximumSignificantDigits: 2});
  const duration = (seconds) => seconds < 120 ? `${seconds.toPrecision(3)} s`
    : seconds < 7200 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
  const significant = (value, digits) => Number(value.toPrecision(digits));

  // "5.02 [4.80, open]" of an estimate
  const interval = ({value, low, high}, form) => {
    if (value === null) {
      if (low !== null && high === null) return `at least ${form(low)}`;
      if (low === null && high !== null) return `at most ${form(high)}`;
      return "not estimable";
    }
    if (low === null && high === null) return form(value);
    return `${form(value)} [${low === null ? "open" : form(low)}, ${high === null ? "open" : form(high)}]`;
  };

  // Sets an element's text and, as data attributes, the exact numbers, as in all tables of the page.
  const write = (place, {value, low = null, high = null}, text) => {
    place.textContent = text;
    for (const [name, number] of Object.entries({value, low, high})) {
      if (number === null) delete place.dataset[name];
      else place.dataset[name] = String(number);
    }
  };

  // A scale turns an amount into a position between 0 and 1, and back.
  const logScale = (low, high) => ({
    place: (value) => Math.log(Math.max(value, low) / low) / Math.log(high / low),
    value: (place) => low * (high / low) ** place,
  });
  const fromZero = (unit, high) => ({  // logarithmic, except near 0
    place: (value) => Math.log1p(Math.max(value, 0) / unit) / Math.log1p(high / unit),
    value: (place) => unit * Math.expm1(place * Math.log1p(high / unit)),
  });

  const logTicks = (low, high) => {  // as figures/style.py has them
    const first = Math.floor(Math.log10(low)), decades = [...Array(Math.ceil(Math.log10(high)) - first + 1).keys()];
    for (const [steps, fewest] of [[[1], 4], [[1, 2, 5], 3], [[1, 1.5, 2, 3, 5, 7], 3]]) {
      const ticks = decades.flatMap((i) => steps.map((step) => significant(step * 10 ** (first + i), 12)))
        .filter((tick) => tick >= low && tick <= high);
      if (ticks.length >= fewest) return ticks;
    }
    const unit = 10 ** Math.floor(Math.log10((high - low) / 3));
    const step = unit * [5, 2, 1].find((k) => (high - low) / (k * unit) >= 3), start = Math.ceil(low / step);
    return [...Array(7).keys()].map((i) => significant((start + i) * step, 12)).filter((tick) => tick <= high);
  };

  return {
    percent, images, moreImages, rate, money, duration, significant, interval, write, logScale, fromZero, logTicks,
  };
})();
