// Components, holes, distances and balls of masks: Uint8Array, C varies fastest.

import { boxShape, count, cropVolume, findBox, isSet, placeVolume, widenBox } from "./volume.js";

/** Labels the components (26 or 6 neighbours) of the voxels that are not 0, from 1. */
export function labelComponents(mask, shape, neighbours = 26) {
    const [A, B, C] = shape;
    const labels = new Int32Array(mask.length);
    const parents = [0];
    const find = (x) => {
        while (parents[x] !== x) x = parents[x] = parents[parents[x]];
        return x;
    };
    const earlier = [];
    for (let a = -1; a <= 0; a++) {
        for (let b = -1; b <= 1; b++) {
            for (let c = -1; c <= 1; c++) {
                const before = a < 0 || (a === 0 && (b < 0 || (b === 0 && c < 0)));
                if (before && (neighbours === 26 || Math.abs(a) + Math.abs(b) + Math.abs(c) === 1)) earlier.push([a, b, c]);
            }
        }
    }
    let i = 0;
    for (let a = 0; a < A; a++) {
        for (let b = 0; b < B; b++) {
            for (let c = 0; c < C; c++, i++) {
                if (!mask[i]) continue;
                let label = 0;
                for (const [da, db, dc] of earlier) {
                    if (a + da < 0 || b + db < 0 || b + db >= B || c + dc < 0 || c + dc >= C) continue;
                    const other = labels[i + (da * B + db) * C + dc];
                    if (!other) continue;
                    const root = find(other);
                    if (!label) label = root;
                    else if (root !== label) {
                        const low = Math.min(root, label);
                        parents[Math.max(root, label)] = low;
                        label = low;
                    }
                }
                if (!label) {
                    label = parents.length;
                    parents.push(label);
                }
                labels[i] = label;
            }
        }
    }
    const numbers = new Int32Array(parents.length);
    let total = 0;
    for (let label = 1; label < parents.length; label++) {
        const root = find(label);
        numbers[label] = root === label ? ++total : numbers[root];
    }
    for (i = 0; i < labels.length; i++) labels[i] = numbers[labels[i]];
    return { labels, total };
}

/** Number of voxels of each label, 0 for the background. */
export function countLabels({ labels, total }) {
    const sizes = new Float64Array(total + 1);
    for (let i = 0; i < labels.length; i++) sizes[labels[i]]++;
    sizes[0] = 0;
    return sizes;
}

export function keepLargest(mask, shape, neighbours = 26) {
    const parts = labelComponents(mask, shape, neighbours);
    const sizes = countLabels(parts);
    const largest = sizes.indexOf(Math.max(...sizes));
    return parts.total ? selectLabel(parts.labels, largest) : new Uint8Array(mask.length);
}

export function selectLabel(labels, number) {
    const mask = new Uint8Array(labels.length);
    for (let i = 0; i < labels.length; i++) mask[i] = labels[i] === number ? 1 : 0;
    return mask;
}

export function countSet(mask) {
    let total = 0;
    for (let i = 0; i < mask.length; i++) if (mask[i]) total++;
    return total;
}

/** Fills background that is not connected to the outside through faces. */
export function fillHoles(mask, shape) {
    const box = findBox(mask, shape, isSet);
    if (!box) return mask;
    const inner = boxShape(box);
    const size = inner.map((n) => n + 2);
    const inside = inner.map((n) => [1, n + 1]);
    const padded = placeVolume(cropVolume(mask, shape, box), inside, new Uint8Array(count(size)), size);
    for (let i = 0; i < padded.length; i++) padded[i] = padded[i] ? 0 : 1;
    const { labels } = labelComponents(padded, size, 6);
    const outside = labels[0];
    for (let i = 0; i < padded.length; i++) padded[i] = labels[i] === outside ? 0 : 1;
    return placeVolume(cropVolume(padded, size, inside), box, new Uint8Array(mask.length), shape);
}

/** Largest component of liver and lesions with filled holes, without a margin. */
export function liverRegion(classes, shape) {
    const mask = new Uint8Array(classes.length);
    for (let i = 0; i < classes.length; i++) mask[i] = classes[i] > 0 ? 1 : 0;
    return fillHoles(keepLargest(mask, shape), shape);
}

/** Dilates a mask by a ball within its volume. */
export function dilate(mask, shape, spacing, radius) {
    const box = findBox(mask, shape, isSet);
    const reach = spacing.map((step) => Math.floor(radius / step + 1e-6));
    if (!box || Math.max(...reach) === 0) return mask;
    const offsets = [];
    for (let a = -reach[0]; a <= reach[0]; a++) {
        for (let b = -reach[1]; b <= reach[1]; b++) {
            for (let c = -reach[2]; c <= reach[2]; c++) {
                if (Math.hypot(a * spacing[0], b * spacing[1], c * spacing[2]) <= radius + 1e-6) offsets.push([a, b, c]);
            }
        }
    }
    const grown = mask.slice();
    const strides = [shape[1] * shape[2], shape[2], 1];
    for (let a = box[0][0]; a < box[0][1]; a++) {
        for (let b = box[1][0]; b < box[1][1]; b++) {
            for (let c = box[2][0]; c < box[2][1]; c++) {
                const i = a * strides[0] + b * strides[1] + c;
                if (!mask[i] || isInterior(mask, shape, strides, [a, b, c], i)) continue;
                for (const [da, db, dc] of offsets) {
                    const [x, y, z] = [a + da, b + db, c + dc];
                    if (x < 0 || y < 0 || z < 0 || x >= shape[0] || y >= shape[1] || z >= shape[2]) continue;
                    grown[x * strides[0] + y * strides[1] + z] = 1;
                }
            }
        }
    }
    return grown;
}

const isInterior = (mask, shape, strides, index, i) =>
    index.every(
        (n, axis) => (n === 0 || mask[i - strides[axis]]) && (n === shape[axis] - 1 || mask[i + strides[axis]]),
    );

/** Exact distance in mm of each voxel of the mask to the nearest voxel outside it (Felzenszwalb, Huttenlocher). */
export function distanceTransform(mask, shape, spacing) {
    const squares = new Float64Array(mask.length);
    for (let i = 0; i < mask.length; i++) squares[i] = mask[i] ? Infinity : 0;
    const strides = [shape[1] * shape[2], shape[2], 1];
    for (const axis of [2, 1, 0]) {
        const [others] = [[0, 1, 2].filter((other) => other !== axis)];
        for (let u = 0; u < shape[others[0]]; u++) {
            for (let v = 0; v < shape[others[1]]; v++) {
                const start = u * strides[others[0]] + v * strides[others[1]];
                transformLine(squares, start, strides[axis], shape[axis], spacing[axis]);
            }
        }
    }
    for (let i = 0; i < squares.length; i++) squares[i] = Math.sqrt(squares[i]);
    return squares;
}

function transformLine(squares, start, stride, size, step) {
    const values = new Float64Array(size);
    for (let i = 0; i < size; i++) values[i] = squares[start + i * stride];
    const places = new Int32Array(size);
    const bounds = new Float64Array(size + 1);
    let k = -1;
    for (let q = 0; q < size; q++) {
        if (values[q] === Infinity) continue;
        let bound = -Infinity;
        while (k >= 0) {
            const p = places[k];
            bound = ((values[q] - values[p]) / (step * step) + q * q - p * p) / (2 * (q - p));
            if (bound > bounds[k]) break;
            k--;
        }
        k++;
        places[k] = q;
        bounds[k] = k === 0 ? -Infinity : bound;
        bounds[k + 1] = Infinity;
    }
    if (k < 0) return;
    const last = k;
    k = 0;
    for (let q = 0; q < size; q++) {
        while (k < last && bounds[k + 1] < q) k++;
        const distance = (q - places[k]) * step;
        squares[start + q * stride] = distance * distance + values[places[k]];
    }
}

/** Cuts thin connections of a mask until its longest side is at most `longest` mm. */
export function limitLength(mask, shape, spacing, longest) {
    const side = (part) => {
        const box = findBox(part, shape, isSet);
        return box ? Math.max(...box.map(([low, high], axis) => (high - low) * spacing[axis])) : 0;
    };
    if (side(mask) <= longest) return mask;
    const depth = distanceTransform(mask, shape, spacing);
    let part = mask;
    for (let radius = Math.min(...spacing) / 2; side(part) > longest; radius += Math.min(...spacing) / 2) {
        const deep = Uint8Array.from(depth, (distance) => (distance > radius ? 1 : 0));
        const core = keepLargest(deep, shape);
        if (!countSet(core)) break;
        const away = distanceTransform(core.map((value) => 1 - value), shape, spacing);
        part = mask.map((value, i) => (value && away[i] <= radius ? 1 : 0));
    }
    return part;
}

/** Keeps the voxels near the largest core of a mask, as postprocess/narrow_parts.py. */
export function removeNarrowParts(mask, background, shape, spacing, radius, { coarsest_mm, regrow_mm, largest_share, certainty_ratio }) {
    const bounds = findBox(mask, shape, isSet);
    if (radius <= 0 || !bounds) return mask;
    const box = widenBox(bounds, [1, 1, 1], shape);
    const inner = boxShape(box);
    const part = cropVolume(mask, shape, box);
    const steps = spacing.map((step) => Math.max(1, Math.floor(coarsest_mm / step)));
    const small = inner.map((n, axis) => Math.ceil(n / steps[axis]));
    const sampling = spacing.map((step, axis) => step * steps[axis]);
    const coarse = new Uint8Array(count(small));
    const tissue = new Float32Array(count(small));
    const inside = cropVolume(background, shape, box);
    const at = (a, b, c) => (Math.floor(a / steps[0]) * small[1] + Math.floor(b / steps[1])) * small[2] + Math.floor(c / steps[2]);
    for (let a = 0; a < inner[0]; a += steps[0]) {
        for (let b = 0; b < inner[1]; b += steps[1]) {
            for (let c = 0; c < inner[2]; c += steps[2]) {
                coarse[at(a, b, c)] = part[(a * inner[1] + b) * inner[2] + c];
                tissue[at(a, b, c)] = 1 - inside[(a * inner[1] + b) * inner[2] + c];
            }
        }
    }
    const deep = Uint8Array.from(distanceTransform(coarse, small, sampling), (distance) => (distance > radius ? 1 : 0));
    if (!countSet(deep) || countSet(coarse) === coarse.length) return mask;
    const core = keepLargest(deep, small, 6);
    const away = distanceTransform(core.map((value) => 1 - value), small, sampling);
    const remote = Uint8Array.from(coarse, (value, k) => (value && away[k] > radius + regrow_mm ? 1 : 0));
    const pieces = labelComponents(remote, small, 6);
    const sizes = countLabels(pieces);
    const sums = new Float64Array(pieces.total + 1);
    let coreSum = 0;
    for (let k = 0; k < coarse.length; k++) {
        sums[pieces.labels[k]] += tissue[k];
        if (core[k]) coreSum += tissue[k];
    }
    const least = (certainty_ratio * coreSum) / countSet(core);
    const stays = (n) => sizes[n] > largest_share * countSet(coarse) && sums[n] / sizes[n] >= least;
    const isKept = Array.from(sizes, (_, n) => n > 0 && stays(n));
    let i = 0;
    for (let a = 0; a < inner[0]; a++) {
        for (let b = 0; b < inner[1]; b++) {
            for (let c = 0; c < inner[2]; c++, i++) {
                const k = at(a, b, c);
                if (part[i] && away[k] > radius + regrow_mm && !isKept[pieces.labels[k]]) part[i] = 0;
            }
        }
    }
    return placeVolume(part, box, new Uint8Array(mask.length), shape);
}
