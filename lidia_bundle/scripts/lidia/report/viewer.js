"use strict";
(() => {
  const viewer = document.getElementById("viewer");
  const store = document.getElementById("stack");
  if (!viewer || !store) return;
  const stack = JSON.parse(store.textContent);
  const slider = document.getElementById("level");
  const where = document.getElementById("where");
  const images = [...viewer.querySelectorAll("img[data-phase]")];
  const overlays = [...viewer.querySelectorAll("svg.over")];
  const last = stack.words.length - 1;

  const show = (index) => {
    slider.value = index;
    const words = stack.words[index];
    for (const image of images) {
      image.src = stack.slices[image.dataset.phase][index];
      image.alt = `${image.dataset.phase}, ${words}`;
    }
    for (const overlay of overlays) overlay.innerHTML = stack.drawn[index];
    where.textContent = words;
    slider.setAttribute("aria-valuetext", words);
  };

  slider.addEventListener("input", () => show(slider.valueAsNumber));
  for (const box of viewer.querySelectorAll("input[data-contour]")) {
    const apply = () => viewer.classList.toggle(`no-${box.dataset.contour}`, !box.checked);
    box.addEventListener("change", apply);
    apply();
  }

  const large = document.getElementById("large");
  const grow = () => viewer.classList.toggle("large", large.checked);
  large.addEventListener("change", grow);
  grow();

  const panes = viewer.querySelector(".panes");
  panes.addEventListener("click", () => slider.focus({ preventScroll: true }));
  panes.addEventListener("wheel", (event) => {
    const next = slider.valueAsNumber - Math.sign(event.deltaY);
    // At the ends, and before anybody has asked for it, the wheel moves the page
    if (document.activeElement !== slider || next < 0 || next > last || !event.deltaY) return;
    event.preventDefault();
    show(next);
  }, { passive: false });

  for (const button of document.querySelectorAll("button[data-slice]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      show(Number(button.dataset.slice));
      viewer.scrollIntoView({ block: "start" });
      slider.focus({ preventScroll: true });
    });
  }
  show(slider.valueAsNumber);
})();
