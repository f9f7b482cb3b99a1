// The worker: runs the network in WebAssembly, beside the page.

import * as ort from "onnxruntime-web/wasm";

import { examine } from "./examine.js";
import { FileProblem } from "./nifti.js";

const ready = prepare();

async function prepare() {
    // Threads need shared memory, which browsers give to cross-origin isolated pages only
    ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, 8) : 1;
    ort.env.wasm.wasmPaths = new URL("./", self.location.href).href;
    ort.env.logLevel = "error";
    const [settings, model] = await Promise.all([
        fetch("settings.json").then((response) => response.json()),
        fetch("lidia.onnx").then((response) => response.arrayBuffer()),
    ]);
    const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"], enableMemPattern: false });
    postMessage({ kind: "ready", threads: ort.env.wasm.numThreads });
    return { settings, session };
}

ready.catch((error) => postMessage({ kind: "failed", text: `The network cannot be loaded: ${error.message}` }));

self.onmessage = async ({ data: files }) => {
    try {
        const { settings, session } = await ready;
        const network = async (data, dims) => {
            const image = new ort.Tensor("float32", data, dims);
            const { pred } = await session.run({ image });
            const probabilities = pred.data;
            image.dispose();
            pred.dispose();
            return probabilities;
        };
        const report = (text, share) => postMessage({ kind: "progress", text, share });
        const { labels, header, result } = await examine(files, network, settings, report);
        const grid = { size: header.size, affine: header.affine };
        postMessage({ kind: "result", labels, grid, result }, [labels.buffer]);
    } catch (error) {
        const memory = error instanceof RangeError || /memory|bad_alloc/i.test(String(error));
        const text = memory ? "The browser has too little memory for this volume. Close other pages, or crop the volume." : error.message;
        postMessage({ kind: "failed", text, known: error instanceof FileProblem || memory });
    }
};
