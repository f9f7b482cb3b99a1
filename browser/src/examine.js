// From the files of a patient to the result; the network is a function, so that any runtime can be used.

import { calibrate, diagnose } from "./diagnose.js";
import { LiverWindows } from "./liver_box.js";
import { NativeMaps } from "./native_maps.js";
import { readNifti, unpack } from "./nifti.js";
import { referencePhase, samplePhase, sampleReference, stackPhases } from "./preprocess.js";
import { count, placeVolume } from "./volume.js";

/**
 * Examines a patient.
 *
 * @param files {phase: {name, buffer}}
 * @param network (data, dims) => Promise of probabilities (C, *dims)
 * @param settings see settings.py
 * @param report (text, share of the work that is done, 0..1) called before each step
 * @returns {labels, header, result}: labels on the grid of the reference phase, X fastest
 */
export async function examine(files, network, settings, report) {
    const present = settings.phases.filter((phase) => files[phase]);
    const reference = referencePhase(present, settings);
    const warnings = reference === "venous" ? [] : [`no venous phase: the grid is that of the ${reference} phase`];
    report(`Reading the ${reference} phase`, 0);
    const volume = await readPhase(files[reference], settings);
    const { grid, data } = sampleReference(volume, files[reference].name, settings);
    const sampled = { [reference]: data };
    const native = { affine: volume.affine, shape: volume.shape };
    volume.data = null;
    for (const [n, phase] of present.filter((name) => name !== reference).entries()) {
        report(`Reading the ${phase} phase`, 0.05 * (n + 1));
        const { name } = files[phase];
        const other = samplePhase(await readPhase(files[phase], settings), native, grid, { phase, name, settings });
        sampled[phase] = other.data;
        if (other.warning) warnings.push(other.warning);
    }
    const image = stackPhases(sampled, grid.shape, settings);
    let window = 0;
    const counted = (part, dims) => {
        window += 1;
        // The number of windows is not known before the liver is found
        report(window === 1 ? "Searching the liver" : `Examining the liver, window ${window - 1}`, 0.9 - 0.7 * 0.6 ** (window - 1));
        return network(part, dims);
    };
    const { box, maps } = await new LiverWindows(image, grid.shape, counted, settings).predict();
    report("Outlining the lesions", 0.9);
    const part = new NativeMaps(maps, box, grid, native, settings);
    const diagnosis = diagnose(part, settings);
    const labels = placeVolume(diagnosis.labels, part.box, new Uint8Array(count(native.shape)), native.shape);
    const scores = diagnosis.hasLiver ? calibrate(diagnosis.scores, settings) : diagnosis.scores;
    const result = {
        grid_phase: reference,
        phases_used: present,
        probabilities: Object.fromEntries(settings.types.map((type) => [type, scores[type]])),
        malignant: scores.malignant,
        benign: scores.benign,
        calibrated: Boolean(settings.calibration) && diagnosis.hasLiver,
        operating_point: settings.operating_point,
        lesions: diagnosis.lesions,
        left_out: diagnosis.left_out,
        warnings: [...warnings, ...diagnosis.warnings],
    };
    return { labels, header: volume.header, result };
}

const readPhase = async ({ name, buffer }, settings) => readNifti(await unpack(buffer, name), name, settings);
