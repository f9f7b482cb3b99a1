// What of a page can be seen badly or not be named: a list of sentences, empty where all is well.
const faults = [];
const rgb = (text) => (text.match(/[\d.]+/g) ?? []).map(Number);
const light = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map((c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = rgb(getComputedStyle(at).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.textContent.trim() || element.closest("script, style, svg.over")) continue;
  if (!element.checkVisibility()) continue;
  const style = getComputedStyle(element);
  const [a, b] = [light(rgb(element.closest("svg") ? style.fill : style.color)), light(behind(element))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) faults.push(`contrast ${ratio.toFixed(2)}: ${walker.currentNode.textContent.trim().slice(0, 40)}`);
}
for (const image of document.images) if (!image.alt) faults.push("a picture without words");
for (const svg of document.querySelectorAll("svg")) {
  if (svg.getAttribute("aria-hidden") !== "true" && !svg.getAttribute("aria-label")) faults.push("a chart without words");
}
for (const field of document.querySelectorAll("input, button, a")) {
  if (!field.labels?.length && !field.textContent.trim()) faults.push(`${field.tagName} without a name`);
}
for (const place of ["header", "main", "footer", "h1"]) {
  if (document.querySelectorAll(place).length !== 1) faults.push(`not one ${place}`);
}
let level = 0;
for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
  if (Number(heading.tagName[1]) > level + 1) faults.push(`${heading.tagName} after h${level}: ${heading.textContent}`);
  level = Number(heading.tagName[1]);
}
const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
if (new Set(ids).size < ids.length) faults.push("an id stands twice");
for (const link of document.querySelectorAll('a[href^="#"]')) {
  if (!document.getElementById(link.hash.slice(1))) faults.push(`${link.hash} leads nowhere`);
}
for (const box of document.querySelectorAll(".scroll")) {
  if (box.scrollWidth > box.clientWidth && (box.tabIndex < 0 || !box.getAttribute("aria-label"))) {
    faults.push("a box that scrolls, but not by keyboard");
  }
}
if (document.documentElement.scrollWidth > innerWidth) faults.push(`${document.documentElement.scrollWidth} px wide`);
return faults;
