// From the phases to the network's input, as data/preprocessing.py.

import { apply, columnNorms, invert, measureShear, orientToRas } from "./affine.js";
import { FileProblem } from "./nifti.js";
import { contractAll, resampleToGrid, samplingWeights, transpose } from "./resample.js";
import { count, findBox } from "./volume.js";

const roundHalfEven = (value) => {
    const low = Math.floor(value);
    if (value - low !== 0.5) return Math.round(value);
    return low % 2 === 0 ? low : low + 1;
};

/** Phase that defines the grid. */
export const referencePhase = (names, settings) => settings.grid_order.find((phase) => names.includes(phase));

/** Resamples the reference phase to the network's grid; returns the grid and its HU. */
export function sampleReference(volume, name, settings) {
    if (measureShear(volume.affine) > 1e-3) {
        throw new FileProblem(`${name}: the affine is sheared. Export it again, or use the program.`);
    }
    const oriented = orientToRas(volume.affine);
    const steps = columnNorms(volume.affine);
    const air = settings.window[0];
    const box = findBox(volume.data, volume.shape, (value) => value > air);
    const rows = [null, null, null];
    const shape = [];
    const columns = [];
    const first = [0, 0, 0];
    oriented.forEach(({ axis, sign }, t) => {
        const step = steps[axis];
        const target = settings.spacing[t];
        const margin = box && t < 2 ? Math.ceil(settings.air_margin_mm / step - 1e-3) : 0;
        const [start, stop] = box ? [box[axis][0] - margin, box[axis][1] + margin] : [0, volume.shape[axis]];
        const size = stop - start;
        shape.push(roundHalfEven(((size - 1) * step) / target + 1));
        const positions = Array.from({ length: shape[t] }, (_, k) => (k * target) / step);
        rows[axis] = samplingWeights(positions, size, step, target).map(([indices, weights]) => [
            indices.map((index) => (sign > 0 ? start + index : stop - 1 - index)),
            weights,
        ]);
        first[axis] = sign > 0 ? start : stop - 1;
        columns.push(volume.affine.map((row) => (row[axis] * sign * target) / step));
    });
    const origin = apply(volume.affine, first);
    const affine = origin.map((value, r) => [columns[0][r], columns[1][r], columns[2][r], value]);
    const sampled = contractAll(volume.data, volume.shape, rows, settings.hu[0]);
    return { grid: { affine, shape }, data: transpose(sampled, oriented.map(({ axis }) => axis)).data };
}

/** Resamples another phase to the grid. Returns null, with a warning, never silently, if it lies elsewhere. */
export function samplePhase(volume, reference, grid, { phase, name, settings }) {
    const shown = measureCoverage(reference, volume);
    const share = Math.max(shown, measureCoverage(volume, reference));
    if (share < 0.5) {
        throw new FileProblem(
            `${name}: the ${phase} phase shows ${Math.round(100 * shown)} % of the reference volume. ` +
                "Check the affines, or leave the phase out.",
        );
    }
    const warning = shown < 0.9 ? `${name}: the ${phase} phase shows ${Math.round(100 * shown)} % of the reference volume` : null;
    return { data: resampleToGrid(volume, grid, settings.hu[0]), warning };
}

/** Share of a volume's field of view that another volume shows, 0..1. */
function measureCoverage(volume, other) {
    const lines = volume.shape.map((n) => {
        const points = Math.min(16, n);
        return Array.from({ length: points }, (_, k) => ((k + 0.5) * n) / points - 0.5);
    });
    const back = invert(other.affine);
    let inside = 0;
    for (const a of lines[0]) {
        for (const b of lines[1]) {
            for (const c of lines[2]) {
                const index = apply(back, apply(volume.affine, [a, b, c]));
                if (index.every((value, s) => value >= -0.501 && value <= other.shape[s] - 0.499)) inside++;
            }
        }
    }
    return inside / (lines[0].length * lines[1].length * lines[2].length);
}

/** Scales HU from the window to -1..1; absent phases are NaN. Returns (P, X, Y, Z). */
export function stackPhases(sampled, shape, settings) {
    const voxels = count(shape);
    const image = new Float32Array(settings.phases.length * voxels).fill(NaN);
    const [low, high] = settings.window;
    settings.phases.forEach((phase, channel) => {
        const data = sampled[phase];
        if (!data) return;
        const target = image.subarray(channel * voxels, (channel + 1) * voxels);
        for (let i = 0; i < voxels; i++) {
            target[i] = Math.min(Math.max(((data[i] - low) / (high - low)) * 2 - 1, -1), 1);
        }
    });
    return image;
}
