// The table of lesions and the bars of the patient probabilities.

const element = (name, text, attributes = {}) => {
    const node = document.createElement(name);
    if (text !== undefined) node.textContent = text;
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
};

const percent = (value) => `${(100 * value).toFixed(1)} %`;

function makeBar(name, value, colour) {
    const row = element("div", undefined, { class: "bar" });
    const track = element("span", undefined, { class: "track" });
    const fill = element("span", undefined, { class: "fill" });
    fill.style.width = `${100 * value}%`;
    fill.style.background = colour;
    track.append(fill);
    row.append(element("span", name, { class: "name" }), track, element("span", percent(value), { class: "value" }));
    return row;
}

function makeRow(lesion, colours, select) {
    const row = element("tr");
    const button = element("button", String(lesion.instance), { type: "button", title: "Show this lesion" });
    button.addEventListener("click", () => select(lesion.centroid_ras_mm));
    const number = element("td");
    number.append(button);
    const type = element("td");
    const swatch = element("span", undefined, { class: "swatch" });
    swatch.style.background = colours[lesion.type];
    type.append(swatch, lesion.type);
    row.append(
        number,
        type,
        element("td", percent(lesion.probabilities[lesion.type])),
        element("td", (lesion.volume_mm3 / 1000).toFixed(2)),
        element("td", lesion.diameter_mm.toFixed(1)),
    );
    return row;
}

/** Fills the bars, the table and the warnings; `select` is called with a position in RAS mm. */
export function showResult(result, colours, places, select) {
    places.bars.replaceChildren(
        ...["malignant", "benign"].map((name) => makeBar(name, result[name], "var(--accent)")),
        ...Object.entries(result.probabilities).map(([name, value]) => makeBar(name, value, colours[name])),
    );
    places.rows.replaceChildren(...result.lesions.map((lesion) => makeRow(lesion, colours, select)));
    places.count.textContent = result.lesions.length === 1 ? "1 lesion" : `${result.lesions.length} lesions`;
    places.warnings.replaceChildren(...result.warnings.map((text) => element("li", text)));
    places.calibrated.textContent = result.calibrated ? "LiverMax, calibrated on synthetic patients" : "LiverMax, not calibrated";
}
