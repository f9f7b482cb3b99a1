// The page: takes files, gives them to the worker, shows the result.

import { writeLabels } from "./nifti.js";
import { assignPhases } from "./phase_names.js";
import { showResult } from "./results.js";
import { Viewer } from "./viewer.js";

const get = (id) => document.getElementById(id);
const places = {
    bars: get("bars"), rows: get("rows"), count: get("count"), warnings: get("warnings"), calibrated: get("calibrated"),
};
const state = { files: {}, settings: null, viewer: null, labels: null, result: null, isBusy: false };

function setState(name, text, share) {
    document.documentElement.dataset.state = name;
    if (text !== undefined) get("status").textContent = text;
    if (share !== undefined) get("progress").value = share;
    state.isBusy = name === "loading" || name === "running";
    get("run").disabled = state.isBusy || !Object.keys(state.files).length;
    get("phantom").disabled = state.isBusy;
}

const fail = (text) => setState("failed", text, 0);

async function start() {
    setState("loading", "Loading the network", 0);
    state.settings = await (await fetch("settings.json")).json();
    get("note").textContent = `${state.settings.intended_use}.`;
    state.settings.phases.forEach(addField);
    try {
        state.viewer = new Viewer(get("view"), state.settings);
        await state.viewer.start();
    } catch {
        state.viewer = null;
        get("view").replaceWith("This browser cannot draw volumes (WebGL 2). The result is shown without pictures.");
    }
    state.worker = new Worker("worker.js", { type: "module" });
    state.worker.onmessage = ({ data }) => receive(data).catch((error) => fail(error.message));
    state.worker.onerror = (event) => fail(`The worker stopped: ${event.message}`);
    window.addEventListener("dragover", (event) => event.preventDefault());
    window.addEventListener("drop", (event) => takeDrop(event, null));
    get("choose").addEventListener("change", (event) => takeChoice(event.target, null));
    get("run").addEventListener("click", run);
    get("phantom").addEventListener("click", () => takePhantom().catch((error) => fail(error.message)));
    get("opacity").addEventListener("input", (event) => state.viewer?.setOpacity(Number(event.target.value)));
    get("shown").addEventListener("change", () => show());
}

function addField(phase) {
    const field = document.createElement("label");
    field.className = "field";
    field.dataset.phase = phase;
    const name = document.createElement("b");
    name.textContent = phase;
    const file = document.createElement("span");
    file.textContent = "drop a file, or click";
    const input = document.createElement("input");
    input.type = "file";
    input.accept = ".nii,.gz";
    input.setAttribute("aria-label", `File of the ${phase} phase`);
    input.addEventListener("change", () => takeChoice(input, phase));
    field.addEventListener("dragover", () => field.classList.add("over"));
    field.addEventListener("dragleave", () => field.classList.remove("over"));
    field.addEventListener("drop", (event) => takeDrop(event, phase));
    field.append(name, file, input);
    get("fields").append(field);
}

function takeDrop(event, phase) {
    event.preventDefault();
    event.stopPropagation();
    document.querySelectorAll(".over").forEach((field) => field.classList.remove("over"));
    takeFiles([...event.dataTransfer.files], phase);
}

/** Takes the files of a dialog and empties its field, so that the same files can be chosen again. */
function takeChoice(input, phase) {
    const files = [...input.files];
    input.value = "";
    takeFiles(files, phase);
}

/** Takes files: one of a given phase, or several by their names. */
function takeFiles(files, phase) {
    if (state.isBusy || !files.length) return;
    try {
        if (phase && files.length === 1) state.files[phase] = files[0];
        else state.files = assignPhases(files, state.settings);
    } catch (error) {
        fail(error.message);
        return;
    }
    state.labels = state.result = null;
    get("result").hidden = true;
    showFiles();
    setState("ready", "Press Run. The files stay on this computer.", 0);
    show();
}

async function takePhantom() {
    setState("loading", "Loading the phantom", 0);
    const names = await (await fetch("phantom/phases.json")).json();
    const files = await Promise.all(
        names.map(async (phase) => {
            const content = await (await fetch(`phantom/${phase}.nii.gz`)).arrayBuffer();
            return new File([content], `${phase}.nii.gz`);
        }),
    );
    setState("ready");
    takeFiles(files, null);
    await run();
}

function showFiles() {
    for (const field of document.querySelectorAll(".field")) {
        const file = state.files[field.dataset.phase];
        field.classList.toggle("given", Boolean(file));
        field.querySelector("span").textContent = file ? file.name : "drop a file, or click";
    }
    const present = state.settings.phases.filter((phase) => state.files[phase]);
    const reference = state.settings.grid_order.find((phase) => state.files[phase]);
    get("shown").replaceChildren(...present.map((phase) => new Option(phase, phase, false, phase === reference)));
}

async function show() {
    const file = state.files[get("shown").value];
    if (!state.viewer || !file) return;
    try {
        await state.viewer.show(file, state.labels);
        state.viewer.setOpacity(Number(get("opacity").value));
        if (state.result?.lesions.length) state.viewer.moveTo(state.result.lesions[0].centroid_ras_mm);
    } catch (error) {
        if (!state.isBusy) fail(`${file.name}: the file cannot be shown (${error.message ?? error})`);
    }
}

async function run() {
    setState("running", "Reading the files", 0);
    const files = {};
    for (const [phase, file] of Object.entries(state.files)) {
        files[phase] = { name: file.name, buffer: await file.arrayBuffer() };
    }
    state.started = performance.now();
    state.worker.postMessage(files, Object.values(files).map(({ buffer }) => buffer));
}

async function receive(message) {
    if (message.kind === "ready" && document.documentElement.dataset.state === "loading") {
        const threads = message.threads === 1 ? "1 thread" : `${message.threads} threads`;
        setState("ready", `Ready (${threads}). Nothing is uploaded.`, 0);
    } else if (message.kind === "progress") {
        setState("running", message.text, message.share);
    } else if (message.kind === "failed") {
        fail(message.text);
    } else if (message.kind === "result") {
        await finish(message);
    }
}

async function finish({ labels, grid, result }) {
    const seconds = (performance.now() - state.started) / 1000;
    state.labels = writeLabels(labels, grid);
    state.result = { ...result, version: state.settings.version, seconds };
    window.lidia = { result: state.result, labels: state.labels };
    get("result").hidden = false;
    showResult(result, state.settings.colours, places, (position) => state.viewer?.moveTo(position));
    offer("save-labels", new Blob([state.labels], { type: "application/octet-stream" }), "lesions.nii");
    offer("save-result", new Blob([JSON.stringify(state.result, null, 2)], { type: "application/json" }), "result.json");
    await show();
    setState("done", `Finished in ${seconds.toFixed(0)} s. Research only.`, 1);
}

function offer(id, blob, name) {
    const link = get(id);
    if (link.href) URL.revokeObjectURL(link.href);
    link.href = URL.createObjectURL(blob);
    link.download = name;
}

if (location.protocol === "file:") {
    fail("Browsers run no workers from a file. Serve this folder, e.g. python -m http.server, and open its address.");
} else {
    // The service worker keeps the page for use without a network, and isolates it so that threads can be used
    navigator.serviceWorker?.register("service_worker.js").catch(() => undefined);
    start().catch((error) => fail(error.message));
}
