// Lesion instances of a class map, as postprocess/lesion_instances.py and candidate_surroundings.py.

import { apply } from "./affine.js";
import { dilate, labelComponents } from "./morphology.js";
import { boxShape, cropVolume, visitRows } from "./volume.js";

/** Voxels, sum of indices and box of each component. */
export function measureComponents({ labels, total }, shape) {
    const components = Array.from({ length: total }, (_, n) => ({
        number: n + 1, voxels: 0, sum: [0, 0, 0], box: shape.map((size) => [size, 0]),
    }));
    let i = 0;
    for (let a = 0; a < shape[0]; a++) {
        for (let b = 0; b < shape[1]; b++) {
            for (let c = 0; c < shape[2]; c++, i++) {
                if (!labels[i]) continue;
                const component = components[labels[i] - 1];
                component.voxels++;
                [a, b, c].forEach((n, axis) => {
                    component.sum[axis] += n;
                    const side = component.box[axis];
                    side[0] = Math.min(side[0], n);
                    side[1] = Math.max(side[1], n + 1);
                });
            }
        }
    }
    return components;
}

const isSmaller = (volume, limit) => volume < limit * (1 - 1e-6);

/** Removes candidates that too little liver surrounds. Returns a mask of them and their volumes. */
export function rejectOutsideLiver(classes, shape, spacing, settings) {
    const { shell_mm, liver_share, attached_cm2, smallest_mm3 } = settings;
    const rejected = new Uint8Array(classes.length);
    const volumes = [];
    const candidates = Uint8Array.from(classes, (value) => (value > 1 ? 1 : 0));
    const parts = labelComponents(candidates, shape);
    if (liver_share <= 0 || !parts.total) return { rejected, volumes };
    const voxelMm3 = spacing.reduce((a, b) => a * b, 1);
    const steps = spacing.map((step) => Math.min(step, shell_mm));
    const attached = (attached_cm2 * 100 * shell_mm) / voxelMm3;
    let liver = 0;
    for (let i = 0; i < classes.length; i++) if (classes[i] === 1) liver++;
    for (const component of measureComponents(parts, shape)) {
        const box = component.box.map(([low, high], axis) => {
            const pad = Math.floor(shell_mm / steps[axis]) + 1;
            return [Math.max(low - pad, 0), Math.min(high + pad, shape[axis])];
        });
        const inner = boxShape(box);
        const mask = cropVolume(parts.labels, shape, box);
        const shell = dilate(Uint8Array.from(mask, (n) => (n === component.number ? 1 : 0)), inner, steps, shell_mm);
        const around = cropVolume(classes, shape, box);
        let [inShell, liverInShell] = [0, 0];
        for (let i = 0; i < shell.length; i++) {
            if (!shell[i] || around[i] > 1) continue;
            inShell++;
            if (around[i] === 1) liverInShell++;
        }
        const exempt = liverInShell >= attached || component.voxels >= liver;
        if (exempt || liverInShell >= liver_share * inShell) continue;
        visitRows(shape, box, (row, offset, length) => {
            for (let i = 0; i < length; i++) if (mask[row + i] === component.number) rejected[offset + i] = 1;
        });
        if (!isSmaller(component.voxels * voxelMm3, smallest_mm3)) volumes.push(component.voxels * voxelMm3);
    }
    return { rejected, volumes };
}

/** Components of cysts and of all other lesions, the largest first; those too small or outside are left out. */
export function findLesions(classes, shape, spacing, region, { cyst, smallest_mm3 }) {
    const voxelMm3 = spacing.reduce((a, b) => a * b, 1);
    const numbers = new Uint16Array(classes.length);
    const lesions = [];
    let [small, outside] = [0, 0];
    for (const isMember of [(value) => value > 1 && value !== cyst, (value) => value === cyst]) {
        const parts = labelComponents(Uint8Array.from(classes, (value) => (isMember(value) ? 1 : 0)), shape);
        for (const component of measureComponents(parts, shape)) {
            const volume = component.voxels * voxelMm3;
            const centre = component.sum.map((sum) => sum / component.voxels);
            const [a, b, c] = centre.map((n, axis) => Math.min(roundHalfEven(n), shape[axis] - 1));
            if (isSmaller(volume, smallest_mm3)) small++;
            else if (!region[(a * shape[1] + b) * shape[2] + c]) outside++;
            else lesions.push({ ...component, volume, centre, labels: parts.labels });
        }
    }
    lesions.sort((one, two) => two.volume - one.volume);
    lesions.forEach((lesion, n) => {
        lesion.instance = n + 1;
        visitRows(shape, lesion.box, (row, offset, length) => {
            for (let i = offset; i < offset + length; i++) {
                if (lesion.labels[i] === lesion.number) numbers[i] = n + 1;
            }
        });
        delete lesion.labels;
    });
    return { lesions, numbers, small, outside };
}

const roundHalfEven = (value) => {
    const low = Math.floor(value);
    return value - low === 0.5 && low % 2 === 0 ? low : Math.round(value);
};

/** Longest diameter in an axial plane, between outer faces of voxels, as diameter.py. */
export function measureDiameter(numbers, shape, lesion, spacing, axial) {
    const [u, v] = [0, 1, 2].filter((axis) => axis !== axial);
    const strides = [shape[1] * shape[2], shape[2], 1];
    const { box, instance } = lesion;
    let longest = 0;
    for (let k = box[axial][0]; k < box[axial][1]; k++) {
        const rim = [];
        const isInside = (i, j) => numbers[k * strides[axial] + i * strides[u] + j * strides[v]] === instance;
        for (const [fixed, free, place] of [[v, u, (f, e) => [e, f]], [u, v, (f, e) => [f, e]]]) {
            for (let f = box[fixed][0]; f < box[fixed][1]; f++) {
                let [first, last] = [-1, -1];
                for (let e = box[free][0]; e < box[free][1]; e++) {
                    const [i, j] = place(f, e);
                    if (!isInside(i, j)) continue;
                    if (first < 0) first = e;
                    last = e;
                }
                if (first < 0) continue;
                for (const edge of [first - 0.5, last + 0.5]) {
                    const [i, j] = place(f, edge);
                    rim.push([i * spacing[u], j * spacing[v]]);
                }
            }
        }
        for (let m = 0; m < rim.length; m++) {
            for (let n = m + 1; n < rim.length; n++) {
                longest = Math.max(longest, Math.hypot(rim[m][0] - rim[n][0], rim[m][1] - rim[n][1]));
            }
        }
    }
    return longest;
}

/** Scales the type probabilities of a lesion (postprocess/type_scaling.py); their sum stays. */
export function scaleTypes(means, { slope, bias }) {
    const largest = Math.max(...means) || 1;
    const scaled = means.map((mean, t) => (mean / largest) ** slope * Math.exp(bias[t]));
    const add = (values) => values.reduce((a, b) => a + b, 0);
    const factor = add(means) / (add(scaled) || 1);
    return scaled.map((value) => value * factor);
}

/** Record of each lesion, and the type of each instance number. */
export function describeLesions(found, sums, votes, numbers, shape, spacing, affine, settings) {
    const { types, first_lesion, type_scaling } = settings;
    const axes = [0, 1, 2].map((c) => Math.abs(affine[2][c]) / Math.hypot(affine[0][c], affine[1][c], affine[2][c]));
    const axial = axes.indexOf(Math.max(...axes));
    return found.map((lesion, n) => {
        const raw = types.map((_, t) => sums[n * types.length + t] / lesion.voxels);
        const means = type_scaling ? scaleTypes(raw, type_scaling) : raw;
        const scores = type_scaling ? means : raw.map((mean, t) => votes[n * types.length + t] + 0.5 * mean);
        const winner = scores.indexOf(Math.max(...scores));
        return {
            instance: lesion.instance,
            type: types[winner],
            label: winner + first_lesion,
            probabilities: Object.fromEntries(types.map((type, t) => [type, means[t]])),
            volume_mm3: lesion.volume,
            diameter_mm: measureDiameter(numbers, shape, lesion, spacing, axial),
            centroid_ras_mm: apply(affine, lesion.centre),
        };
    });
}
