// Linear resampling with smoothing, as geometry/resample.py and geometry/smoothing.py.

import { columnNorms, multiply, invert } from "./affine.js";
import { count } from "./volume.js";

/** Kernel of scipy's gaussian_filter1d with truncate 3, or null if the target grid is not coarser. */
function gaussianKernel(step, target) {
    const sigma = (target / step - 1) / 2;
    if (sigma <= 0.2) return null;
    const radius = Math.floor(3 * sigma + 0.5);
    const kernel = [];
    for (let d = -radius; d <= radius; d++) kernel.push(Math.exp((-0.5 * d * d) / (sigma * sigma)));
    const sum = kernel.reduce((total, value) => total + value, 0);
    return kernel.map((value) => value / sum);
}

/**
 * Weights of a line's voxels in the smoothed values at some indices.
 *
 * Returns one [indices, weights] for each position; beyond the line the end voxels are repeated.
 */
export function samplingWeights(positions, size, step, target) {
    const kernel = gaussianKernel(step, target) ?? [1];
    const radius = (kernel.length - 1) / 2;
    return positions.map((position) => {
        const index = Math.min(Math.max(position, 0), size - 1);
        const low = Math.min(Math.floor(index), Math.max(size - 2, 0));
        const share = index - low;
        const weights = new Map();
        for (const [start, part] of [[low, 1 - share], [Math.min(low + 1, size - 1), share]]) {
            if (part === 0) continue;
            kernel.forEach((value, k) => {
                const at = Math.min(Math.max(start + k - radius, 0), size - 1);
                weights.set(at, (weights.get(at) ?? 0) + value * part);
            });
        }
        return [[...weights.keys()], [...weights.values()]];
    });
}

/** Applies weights along one axis; voxels outside the volume have the value `fill`. */
export function contractAxis(data, shape, axis, rows, fill) {
    const outer = shape.slice(0, axis).reduce((a, b) => a * b, 1);
    const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
    const size = shape[axis];
    const result = new Float32Array(outer * rows.length * inner);
    for (let o = 0; o < outer; o++) {
        rows.forEach(([indices, weights], k) => {
            const target = (o * rows.length + k) * inner;
            for (let n = 0; n < indices.length; n++) {
                const weight = weights[n];
                if (indices[n] < 0 || indices[n] >= size) {
                    for (let i = 0; i < inner; i++) result[target + i] += weight * fill;
                    continue;
                }
                const source = (o * size + indices[n]) * inner;
                for (let i = 0; i < inner; i++) result[target + i] += weight * data[source + i];
            }
        });
    }
    const changed = [...shape];
    changed[axis] = rows.length;
    return { data: result, shape: changed };
}

/** Applies the weights of all axes, the axis that shrinks most first. */
export function contractAll(data, shape, rows, fill) {
    let volume = { data, shape };
    const order = [0, 1, 2].sort((a, b) => rows[a].length / shape[a] - rows[b].length / shape[b]);
    for (const axis of order) volume = contractAxis(volume.data, volume.shape, axis, rows[axis], fill);
    return volume;
}

/** Reorders the axes: axis t of the result is axis sources[t] of the volume. */
export function transpose({ data, shape }, sources) {
    const strides = [shape[1] * shape[2], shape[2], 1];
    const size = sources.map((s) => shape[s]);
    const [sa, sb, sc] = sources.map((s) => strides[s]);
    const result = new data.constructor(data.length);
    let i = 0;
    for (let a = 0; a < size[0]; a++) {
        for (let b = 0; b < size[1]; b++) {
            for (let c = 0, at = a * sa + b * sb; c < size[2]; c++, at += sc) result[i++] = data[at];
        }
    }
    return { data: result, shape: size };
}

const REACH = 0.5 + 1e-3;
const isBeyond = (index, size) => index < -REACH || index > size - 1 + REACH;

/** Resamples a phase to a grid; voxels outside its field of view are `outside`. */
export function resampleToGrid(volume, grid, outside) {
    const chain = multiply(invert(volume.affine), grid.affine);
    const sources = [0, 1, 2].map((t) => {
        const column = [0, 1, 2].map((s) => Math.abs(chain[s][t]));
        return column.indexOf(Math.max(...column));
    });
    const drift = [0, 1, 2].flatMap((t) =>
        [0, 1, 2].filter((s) => s !== sources[t]).map((s) => Math.abs(chain[s][t]) * (grid.shape[t] - 1)),
    );
    if (new Set(sources).size < 3) throw new Error("the axes of the phases cannot be matched");
    const steps = columnNorms(volume.affine);
    const targets = columnNorms(grid.affine);
    return Math.max(...drift) > 1e-3
        ? sampleOblique(volume, grid, chain, sources, steps, targets, outside)
        : sampleParallel(volume, grid, chain, sources, steps, targets, outside);
}

function sampleParallel(volume, grid, chain, sources, steps, targets, outside) {
    const lines = sources.map((s, t) =>
        Array.from({ length: grid.shape[t] }, (_, k) => chain[s][t] * k + chain[s][3]),
    );
    const rows = [null, null, null];
    sources.forEach((s, t) => (rows[s] = samplingWeights(lines[t], volume.shape[s], steps[s], targets[t])));
    const result = transpose(contractAll(volume.data, volume.shape, rows, outside), sources);
    const beyond = sources.map((s, t) => lines[t].map((index) => isBeyond(index, volume.shape[s])));
    let i = 0;
    for (let a = 0; a < grid.shape[0]; a++) {
        for (let b = 0; b < grid.shape[1]; b++) {
            for (let c = 0; c < grid.shape[2]; c++, i++) {
                if (beyond[0][a] || beyond[1][b] || beyond[2][c]) result.data[i] = outside;
            }
        }
    }
    return result.data;
}

function sampleOblique(volume, grid, chain, sources, steps, targets, outside) {
    const rows = [null, null, null];
    sources.forEach((s, t) => {
        const every = Array.from({ length: volume.shape[s] }, (_, k) => k);
        rows[s] = samplingWeights(every, volume.shape[s], steps[s], targets[t]);
    });
    const { data, shape } = contractAll(volume.data, volume.shape, rows, outside);
    const result = new Float32Array(count(grid.shape));
    const [rowStride, planeStride] = [shape[2], shape[1] * shape[2]];
    const position = [0, 0, 0];
    let i = 0;
    for (let a = 0; a < grid.shape[0]; a++) {
        for (let b = 0; b < grid.shape[1]; b++) {
            for (let c = 0; c < grid.shape[2]; c++, i++) {
                let beyond = false;
                for (let s = 0; s < 3; s++) {
                    position[s] = chain[s][0] * a + chain[s][1] * b + chain[s][2] * c + chain[s][3];
                    beyond ||= isBeyond(position[s], shape[s]);
                    position[s] = Math.min(Math.max(position[s], 0), shape[s] - 1);
                }
                if (beyond) {
                    result[i] = outside;
                    continue;
                }
                const low = position.map((p, s) => Math.min(Math.floor(p), Math.max(shape[s] - 2, 0)));
                const [u, v, w] = position.map((p, s) => p - low[s]);
                const at = low[0] * planeStride + low[1] * rowStride + low[2];
                const [da, db, dc] = [shape[0] > 1 ? planeStride : 0, shape[1] > 1 ? rowStride : 0, shape[2] > 1 ? 1 : 0];
                const mix = (o) =>
                    (data[o] * (1 - w) + data[o + dc] * w) * (1 - v) + (data[o + db] * (1 - w) + data[o + db + dc] * w) * v;
                result[i] = mix(at) * (1 - u) + mix(at + da) * u;
            }
        }
    }
    return result;
}
