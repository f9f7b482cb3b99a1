// Examines files as the page does, without a browser: prints CPU seconds and memory, writes labels and result.
//   node examine_files.mjs NETWORK.onnx SETTINGS.json OUTPUT_FOLDER venous=FILE [arterial=FILE ...]

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { cpuUsage, resourceUsage } from "node:process";

import * as ort from "onnxruntime-web/wasm";

import { examine } from "./src/examine.js";
import { writeLabels } from "./src/nifti.js";

const [model, settingsFile, output, ...phases] = process.argv.slice(2);
if (!phases.length) throw new Error("Usage: node examine_files.mjs NETWORK.onnx SETTINGS.json OUTPUT_FOLDER venous=FILE ...");
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";
const settings = JSON.parse(await readFile(settingsFile, "utf8"));
const session = await ort.InferenceSession.create(await readFile(model), { executionProviders: ["wasm"], enableMemPattern: false });
const files = {};
for (const [phase, file] of phases.map((text) => text.split("="))) {
    files[phase] = { name: basename(file), buffer: Uint8Array.from(await readFile(file)).buffer };
}

async function network(data, dims) {
    const start = cpuUsage();
    const image = new ort.Tensor("float32", data, dims);
    const { pred } = await session.run({ image });
    const probabilities = pred.data;
    image.dispose();
    pred.dispose();
    console.log(`  network on ${dims.slice(2).join(" x ")} voxels: ${(cpuUsage(start).user / 1e6).toFixed(1)} CPU s`);
    return probabilities;
}

const { labels, header, result } = await examine(files, network, settings, (text) => console.log(text));
await mkdir(output, { recursive: true });
await writeFile(join(output, "lesions.nii"), Buffer.from(writeLabels(labels, { size: header.size, affine: header.affine })));
await writeFile(join(output, "result.json"), JSON.stringify(result, null, 2));
const used = resourceUsage();
console.log(`${(used.userCPUTime / 1e6).toFixed(0)} CPU s, at most ${(used.maxRSS / 2 ** 20).toFixed(2)} GB`);
