// Overlapping windows, as MONAI's SlidingWindowInferer in mode "gaussian".

import { count } from "./volume.js";

const gcd = (a, b) => (b ? gcd(b, a % b) : a);

export const windowStep = (roi) => roi.reduce(gcd);

/** Size of the windows of an image of this shape. */
export function windowSize(shape, roi) {
    const step = windowStep(roi);
    let sides = shape.map((n) => Math.ceil(n / step) * step);
    if (count(sides) > count(roi)) sides = sides.map((n, axis) => Math.min(n, roi[axis]));
    if (Math.max(...sides) === step) sides[0] = Math.min(roi[0], 2 * step);
    return sides;
}

function windowStarts(size, side, overlap) {
    if (side === size) return [0];
    const interval = Math.max(Math.trunc(side * (1 - overlap)), 1);
    const starts = [];
    for (let start = 0; ; start += interval) {
        starts.push(Math.max(Math.min(start, size - side), 0));
        if (start + side >= size) return starts;
    }
}

function gaussianLine(side) {
    const sigma = 0.125 * side;
    return Array.from({ length: side }, (_, i) => Math.exp((i - (side - 1) / 2) ** 2 / (-2 * sigma * sigma)));
}

function importanceMap(sides) {
    const lines = sides.map(gaussianLine);
    const lowest = Math.max(lines.reduce((product, line) => product * line[0], 1), 1e-3);
    const map = new Float32Array(count(sides));
    let i = 0;
    for (const a of lines[0]) for (const b of lines[1]) for (const c of lines[2]) map[i++] = Math.max(a * b * c, lowest);
    return map;
}

/** Copies a window; voxels outside the image are air (-1). */
function readWindow(image, channels, shape, start, sides) {
    const part = new Float32Array(channels * count(sides)).fill(-1);
    const from = start.map((s) => Math.max(s, 0));
    const to = start.map((s, axis) => Math.min(s + sides[axis], shape[axis]));
    for (let p = 0; p < channels; p++) {
        for (let a = from[0]; a < to[0]; a++) {
            for (let b = from[1]; b < to[1]; b++) {
                const source = ((p * shape[0] + a) * shape[1] + b) * shape[2];
                const target = ((p * sides[0] + a - start[0]) * sides[1] + b - start[1]) * sides[2] - start[2];
                part.set(image.subarray(source + from[2], source + to[2]), target + from[2]);
            }
        }
    }
    return part;
}

/**
 * Predicts an image in windows.
 *
 * image (P, *shape); network(window, [1, P, *sides]) gives (C, *sides). Returns (C, *shape).
 */
export async function runWindows(image, shape, network, { roi_size, overlap, phases, classes }) {
    const sides = windowSize(shape, roi_size);
    const size = shape.map((n, axis) => Math.max(n, sides[axis]));
    const pad = shape.map((n, axis) => Math.floor((size[axis] - n) / 2));
    const starts = size.map((n, axis) => windowStarts(n, sides[axis], overlap).map((s) => s - pad[axis]));
    const map = importanceMap(sides);
    const channels = classes.length;
    const voxels = count(shape);
    const total = new Float32Array(channels * voxels);
    const weights = new Float32Array(voxels);
    for (const a of starts[0]) {
        for (const b of starts[1]) {
            for (const c of starts[2]) {
                const window = readWindow(image, phases.length, shape, [a, b, c], sides);
                const pred = await network(window, [1, phases.length, ...sides]);
                blend(pred, map, sides, [a, b, c], total, weights, shape, channels);
            }
        }
    }
    for (let p = 0; p < channels; p++) {
        for (let i = 0; i < voxels; i++) total[p * voxels + i] /= weights[i];
    }
    return total;
}

function blend(pred, map, sides, start, total, weights, shape, channels) {
    const [voxels, part] = [count(shape), count(sides)];
    for (let a = Math.max(0, -start[0]); a < sides[0] && a + start[0] < shape[0]; a++) {
        for (let b = Math.max(0, -start[1]); b < sides[1] && b + start[1] < shape[1]; b++) {
            for (let c = Math.max(0, -start[2]); c < sides[2] && c + start[2] < shape[2]; c++) {
                const i = (a * sides[1] + b) * sides[2] + c;
                const at = ((a + start[0]) * shape[1] + b + start[1]) * shape[2] + c + start[2];
                weights[at] += map[i];
                for (let p = 0; p < channels; p++) total[p * voxels + at] += pred[p * part + i] * map[i];
            }
        }
    }
}
