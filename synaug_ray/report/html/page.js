"use strict";
// Draws every figure of the page in the reader's colour scheme, and again when that or the width changes.
// The page contains plotly.js compressed; the security policy allows exactly that text to run.
const page = (() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const dark = JSON.parse(document.getElementById("dark").textContent);
  const darkMode = window.matchMedia("(prefers-color-scheme: dark)");
  const narrowPage = window.matchMedia("(max-width: 560px)");
  const touch = window.matchMedia("(pointer: coarse)");
  const configuration = {
    displaylogo: false, responsive: true, doubleClick: "reset",
    modeBarButtons: [["toImage", "resetScale2d"]],  // an allow list: plotly.js also has a button that uploads
    displayModeBar: window.matchMedia("(hover: hover)").matches ? "hover" : false,
  };
  let printing = false;

  // A figure's colours are those for a light page; on a dark page, this copy has each of them swapped.
  const painted = (value, isDark, underColor) => {
    if (Array.isArray(value)) return value.map((item) => painted(item, isDark, underColor));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(
        ([name, item]) => [name, painted(item, isDark, /color$/i.test(name))]));
    }
    return isDark && underColor && Object.hasOwn(dark, value) ? dark[value] : value;
  };

  const drawOne = (id) => {
    if (!window.Plotly) return;  // not unpacked yet; draw() is called afterwards
    const {data, layout} = painted(figures[id], darkMode.matches && !printing, false);
    if (narrowPage.matches) {
      layout.margin = {...layout.margin, l: Math.min(layout.margin.l, 44), r: 8};
      layout.font = {...layout.font, size: 12};
      const named = data.filter((trace) => trace.showlegend !== false && trace.name.length > 12).length;
      layout.height += 22 * named;  // long names are stacked above the axes
    }
    if (touch.matches || narrowPage.matches) layout.dragmode = false;  // a finger scrolls the page
    Plotly.react(document.getElementById("figure-" + id), data, layout, configuration);
  };

  const draw = () => {
    Object.keys(figures).forEach(drawOne);
    document.documentElement.dataset.figures = "drawn";
  };

  const unpack = async () => {
    const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), (c) => c.charCodeAt(0));
    const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(unpacked).text();
    document.head.append(script);
  };

  // Verdicts that are wider than the page are laid out as cards: how wide they are depends on names and sizes.
  const fitMatrix = () => {
    for (const matrix of document.querySelectorAll(".matrix")) {
      matrix.classList.remove("cards");
      matrix.classList.toggle("cards", matrix.scrollWidth > matrix.parentElement.clientWidth);
    }
  };
  fitMatrix();
  window.addEventListener("resize", fitMatrix);

  // A figure that was drawn wide is drawn again where its place has become narrower or wider.
  let resizing = 0;
  window.addEventListener("resize", () => {
    cancelAnimationFrame(resizing);
    resizing = requestAnimationFrame(() => {
      if (!window.Plotly) return;
      for (const plot of document.querySelectorAll(".plot.js-plotly-plot")) {
        if (plot.clientWidth && plot.clientWidth !== plot._fullLayout?.width) Plotly.Plots.resize(plot);
      }
    });
  });

  unpack().then(draw).catch((error) => {
    document.getElementById("undrawn").hidden = false;
    console.error(error);
  });
  darkMode.addEventListener("change", draw);
  narrowPage.addEventListener("change", draw);
  window.addEventListener("beforeprint", () => { printing = true; draw(); });
  window.addEventListener("afterprint", () => { printing = false; draw(); });

  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy);
      const selection = window.getSelection();
      selection.selectAllChildren(text);
      try {
        await navigator.clipboard.writeText(text.textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Selected";  // no clipboard here: the reader copies what is selected
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }
  return {figures, drawOne};
})();
