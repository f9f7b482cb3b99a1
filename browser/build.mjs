// Builds the page: node build.mjs OUTPUT MODEL SETTINGS PHANTOM_FOLDER (see `make browser`).

import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const [output, model, settings, phantom] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const source = (name) => join(here, "src", name);
const options = { bundle: true, minify: true, logLevel: "warning", target: "es2022", legalComments: "linked" };

rmSync(output, { recursive: true, force: true });
mkdirSync(join(output, "phantom"), { recursive: true });
await build({ ...options, entryPoints: [source("page.js")], format: "iife", outfile: join(output, "page.js") });
await build({
    ...options,
    entryPoints: [source("worker.js")],
    format: "esm",
    outfile: join(output, "worker.js"),
    conditions: ["onnxruntime-web-use-extern-wasm"],
});
for (const name of ["index.html", "page.css"]) copyFileSync(source(name), join(output, name));
for (const name of ["ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"]) {
    copyFileSync(join(here, "node_modules/onnxruntime-web/dist", name), join(output, name));
}
copyFileSync(model, join(output, "lidia.onnx"));
copyFileSync(settings, join(output, "settings.json"));
copyPhantom();
writeLicenses();
await writeServiceWorker();

/** Copies the patient with all phases and most lesion types, and writes the names of the phases. */
function copyPhantom() {
    const { phases } = JSON.parse(readFileSync(settings, "utf8"));
    const { test } = JSON.parse(readFileSync(join(phantom, "dataset.json"), "utf8"));
    const types = (item) => new Set(item.lesions.map((lesion) => lesion.type)).size;
    const [complete] = test
        .filter((item) => phases.every((phase) => item.phases[phase]))
        .sort((one, two) => types(two) - types(one));
    if (!complete) throw new Error(`${phantom} has no patient with all phases: write more cases.`);
    for (const phase of phases) copyFileSync(join(phantom, complete.phases[phase]), join(output, "phantom", `${phase}.nii.gz`));
    writeFileSync(join(output, "phantom", "phases.json"), JSON.stringify(phases));
}

/** Writes the licences of the packages that the page contains. */
function writeLicenses() {
    const packages = join(here, "node_modules");
    const names = readdirSync(packages).flatMap((name) =>
        name.startsWith("@") ? readdirSync(join(packages, name)).map((inner) => join(name, inner)) : [name],
    );
    const texts = names.flatMap((name) => {
        if (name.startsWith(".") || name.startsWith("@esbuild")) return [];
        const file = readdirSync(join(packages, name)).find((entry) => /^licen[cs]e/i.test(entry));
        return file ? [`${name}\n\n${readFileSync(join(packages, name, file), "utf8")}`] : [];
    });
    writeFileSync(join(output, "licenses.txt"), texts.join("\n\n"));
}

/** Writes the service worker with the names and the hash of all files. */
async function writeServiceWorker() {
    const files = readdirSync(output, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(output.length + 1).replaceAll("\\", "/"))
        .sort();
    const hash = createHash("sha256");
    for (const file of files) hash.update(file).update(readFileSync(join(output, file)));
    await build({
        ...options,
        entryPoints: [source("service_worker.js")],
        outfile: join(output, "service_worker.js"),
        define: {
            FILES: JSON.stringify(["./", ...files]),
            VERSION: JSON.stringify(hash.digest("hex").slice(0, 16)),
        },
    });
}
